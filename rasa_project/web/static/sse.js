/**
 * Server-sent events read from a fetch() body (EventSource can neither POST nor carry a bearer token).
 */

/** The connection gave no byte, not even a heartbeat, for too long; or no event for very long. */
export class Silence extends Error {}

/**
 * Yields {id, event, data} for every complete event of a text/event-stream response.
 *
 * data is the parsed JSON of the event's data lines; an event whose data is not JSON is skipped.
 * Ends when the server ends the body. Throws Silence after `idleMs` without a byte or `eventMs`
 * without an event, and whatever the browser throws when the connection breaks. An event cut off
 * half-way is never yielded.
 */
export async function* readEvents(response, { idleMs = 25000, eventMs = Infinity } = {}) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let field = { id: null, event: "message", data: [] };
  let eventAt = Date.now();
  try {
    for (;;) {
      const { done, value } = await withinSilence(reader.read(), idleMs);
      if (done) return;
      if (Date.now() - eventAt > eventMs) throw new Silence();
      rest += decoder.decode(value, { stream: true });
      // A lone CR at the very end may be half of a CRLF: leave it for the next read.
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        if (line !== "") {
          takeLine(field, line);
          continue;
        }
        const event = finished(field);
        field = { id: null, event: "message", data: [] };
        if (!event) continue;
        eventAt = Date.now();
        yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function takeLine(field, line) {
  if (line.startsWith(":")) return;
  const colon = line.indexOf(":");
  const name = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
  if (name === "id") field.id = value;
  else if (name === "event") field.event = value;
  else if (name === "data") field.data.push(value);
}

function finished(field) {
  if (field.data.length === 0) return null;
  try {
    return { id: field.id, event: field.event, data: JSON.parse(field.data.join("\n")) };
  } catch {
    return null;
  }
}

async function withinSilence(promise, ms) {
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Silence()), ms);
  });
  try {
    return await Promise.race([promise, silence]);
  } finally {
    clearTimeout(timer);
  }
}
