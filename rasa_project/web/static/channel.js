/**
 * The web channel's HTTP calls. Knows addresses and status codes; knows nothing of the page.
 */

/** No answer from the server: network down, server down, or a gateway speaking for it. */
export class Unreachable extends Error {}
/** 401: the token is unknown or has expired. */
export class SessionEnded extends Error {}
/** 429 or 503 with a wait. `seconds` says how long. */
export class TooFast extends Error {
  constructor(seconds) {
    super("too fast");
    this.seconds = seconds;
  }
}
/** Any other refusal; sending the same again would be refused again. `status` is the HTTP status. */
export class Refused extends Error {
  constructor(status) {
    super(`refused with ${status}`);
    this.status = status;
  }
}

export class Channel {
  /** base: the address of the page, below which session, webhook, events and feedback lie. */
  constructor(base, { connectMs = 20000 } = {}) {
    this.base = base;
    this.connectMs = connectMs;
  }

  /** Opens a session and returns its token. */
  async session(country) {
    const response = await this.#fetch("session", { method: "POST", body: country ? { country } : {} });
    const { token } = await response.json().catch(() => ({}));
    if (typeof token !== "string" || token === "") throw new Refused(response.status);
    return token;
  }

  /** Sends a message ({message} or {payload}) and returns the response whose body is the event stream. */
  send(token, body) {
    return this.#fetch("webhook", { method: "POST", token, body, accept: "text/event-stream" });
  }

  /** Reopens the event stream after the event `lastEventId` (null: from the start). */
  resume(token, lastEventId) {
    const headers = lastEventId === null ? {} : { "Last-Event-ID": String(lastEventId) };
    return this.#fetch("events", { token, headers, accept: "text/event-stream" });
  }

  /** Stores a person's judgement of one bot message. */
  async feedback(token, body) {
    await this.#fetch("feedback", { method: "POST", token, body });
  }

  async #fetch(path, { method = "GET", token, body, headers = {}, accept = "application/json" }) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), this.connectMs);
    let response;
    try {
      response = await fetch(new URL(path, this.base), {
        method,
        headers: {
          Accept: accept,
          ...(token ? { Authorization: `Bearer ${token}` } : {}),
          ...(body ? { "Content-Type": "application/json" } : {}),
          ...headers,
        },
        body: body ? JSON.stringify(body) : undefined,
        cache: "no-store",
        credentials: "omit",
        signal: stop.signal,
      });
    } catch {
      throw new Unreachable();
    } finally {
      clearTimeout(timer);
    }
    if (response.ok) return response;
    response.body?.cancel().catch(() => {});
    throw refusal(response);
  }
}

function refusal(response) {
  const wait = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  if (response.status === 401) return new SessionEnded();
  if (response.status === 429) return new TooFast(clampSeconds(wait, 5));
  if (response.status === 503 && wait > 0) return new TooFast(clampSeconds(wait, 5));
  if (response.status >= 500 || response.status === 408) return new Unreachable();
  return new Refused(response.status);
}

function clampSeconds(seconds, fallback) {
  return Math.min(Math.max(Number.isFinite(seconds) ? seconds : fallback, 1), 300);
}
