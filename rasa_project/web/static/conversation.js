/**
 * One conversation: what was said, what is still to be sent, and what the server has answered.
 *
 * Entries, in the order they are shown (kept in the tab's store):
 *   {kind: "you",  key, text, payload, state, cursor, sentAt, heardAt?, attempt?, problem}
 *       key is the client_message_id, which makes sending again safe;
 *       state: "unsent" → "sent" (the server took it, a reply may be coming) → "done" | "failed"
 *   {kind: "bot",  key, text, whole, source, flow, card, buttons, asks, helpful}
 *   {kind: "note", key, text}
 *
 * Nothing is lost: an unsent message is tried until the server takes it, and a reply whose
 * connection broke is fetched again from the last event this turn has seen.
 * Nothing is doubled: an event already seen is dropped, whichever connection brings it.
 * It does not know the page; it calls `view` (see app.js).
 */

import { Refused, SessionEnded, TooFast } from "./channel.js";
import { readEvents } from "./sse.js";

const BACK_OFF_MS = [500, 1000, 2000, 4000, 8000, 15000];
const SLOW_ACCEPT_MS = 3000;
const TURN_LIMIT_MS = 150000;
const SEEN_LIMIT = 600;
const QUIET_RESUMES = 2;
/** 409: the server answered this message and no longer has the answer. */
const PROBLEM_OF_STATUS = { 409: "lost", 413: "too_long" };

export class Conversation {
  #sending = new Set();
  #following = new Set();
  #opening = null;
  #pumping = false;
  #failures = 0;
  #stopped = false;
  #wake = new Set();

  /**
   * view: {entry(entry, change, before), writing(isWriting), connection(trouble | null)}; onCountry(code): the person named
   * where they are.
   */
  constructor({ channel, store, view, onCountry = () => {}, newKey = randomKey }) {
    this.channel = channel;
    this.store = store;
    this.view = view;
    this.onCountry = onCountry;
    this.newKey = newKey;
    this.seen = new Set(store.state.seen);
  }

  /** Shows what the tab remembers and takes up whatever was under way. */
  start() {
    for (const entry of this.store.state.entries) {
      this.view.entry(entry, "restored");
      if (entry.kind === "you" && entry.state === "sent") this.#follow(entry, null);
    }
    this.#showWriting();
    this.#pump();
  }

  /** Takes what the person wrote (or the button they chose) and sends it. */
  say(text, payload = null) {
    for (const entry of this.store.state.entries) {
      if (entry.kind !== "bot" || entry.buttons.length === 0) continue;
      entry.buttons = entry.buttons.filter((button) => button.href);
      this.view.entry(entry, "changed");
    }
    this.#add({ kind: "you", key: this.newKey(), text, payload, state: "unsent", cursor: null, sentAt: 0, problem: null });
    this.retryNow();
  }

  /** Sends a failed message again. */
  again(key) {
    const entry = this.store.state.entries.find((candidate) => candidate.key === key);
    if (entry?.state !== "failed") return;
    entry.state = "unsent";
    entry.problem = null;
    entry.attempt = this.newKey(); // the server has answered the first attempt; this is a new one
    this.#changed(entry);
    this.retryNow();
  }

  /** Tries whatever waits for the network now instead of later. */
  retryNow() {
    for (const wake of this.#wake) wake();
    this.#pump();
  }

  /** Stores a judgement; true when the server has it. */
  async judge(key, helpful, comment = null) {
    const entry = this.store.state.entries.find((candidate) => candidate.key === key);
    if (!entry || !this.store.state.token) return false;
    try {
      await this.channel.feedback(this.store.state.token, { id: key, helpful, ...(comment ? { comment } : {}) });
    } catch {
      return false;
    }
    entry.helpful = helpful;
    this.store.save();
    return true;
  }

  /** Ends everything; nothing is shown or kept after this. */
  stop() {
    this.#stopped = true;
    for (const wake of this.#wake) wake();
  }

  // Sending

  async #pump() {
    if (this.#pumping || this.#stopped) return;
    this.#pumping = true;
    try {
      for (let entry = this.#nextUnsent(); entry && !this.#stopped; entry = this.#nextUnsent()) {
        const attempt = this.#deliver(entry);
        // Order is kept while the server is quick; one slow answer does not hold up the next message.
        const outcome = await Promise.race([attempt, this.#pause(SLOW_ACCEPT_MS, "slow", false)]);
        if (outcome === "slow") {
          attempt.then(() => this.#pump());
        } else if (outcome === "unreachable") {
          this.view.connection({ kind: "unreachable" });
          await this.#pause(backOff(this.#failures++));
        } else if (typeof outcome === "number") {
          this.view.connection({ kind: "waiting", seconds: outcome });
          await this.#pause(outcome * 1000, null, false);
          this.view.connection(null);
        } else if (outcome === "taken") {
          this.#failures = 0;
          this.view.connection(null);
        }
      }
    } finally {
      this.#pumping = false;
    }
  }

  #nextUnsent() {
    return this.#unsent().find((entry) => !this.#sending.has(entry.key));
  }

  #unsent() {
    return this.store.state.entries.filter((entry) => entry.state === "unsent");
  }

  /** "taken", "refused", "renewed", "unreachable", or the seconds to wait. */
  async #deliver(entry) {
    this.#sending.add(entry.key);
    let token = null;
    try {
      token = await this.#token();
      const cursor = this.store.state.lastId;
      const response = await this.channel.send(token, {
        ...(entry.payload === null ? { message: entry.text } : { payload: entry.payload }),
        client_message_id: entry.attempt ?? entry.key,
        ...(this.store.state.country ? { country: this.store.state.country } : {}),
      });
      if (this.#stopped || this.store.state.token !== token) return "renewed";
      Object.assign(entry, { state: "sent", cursor, sentAt: Date.now() });
      this.#changed(entry);
      this.#showWriting();
      this.#follow(entry, response);
      return "taken";
    } catch (error) {
      if (error instanceof SessionEnded) return this.#renew(token) ? "renewed" : "unreachable";
      if (error instanceof TooFast) return error.seconds;
      if (!(error instanceof Refused)) return "unreachable";
      this.#fail(entry, PROBLEM_OF_STATUS[error.status] ?? "refused");
      return "refused";
    } finally {
      this.#sending.delete(entry.key);
    }
  }

  #token() {
    if (this.store.state.token) return this.store.state.token;
    this.#opening ??= this.channel
      .session(this.store.state.country)
      .then((token) => {
        this.store.state.token = token;
        this.store.save();
        return token;
      })
      .finally(() => {
        this.#opening = null;
      });
    return this.#opening;
  }

  /** Leaves a session that has ended. False when even a session without a single event is refused. */
  #renew(token) {
    const state = this.store.state;
    if (token === null) return false;
    if (state.token !== token) return true;
    const unused = state.lastId === null;
    Object.assign(state, { token: null, lastId: null, seen: [] });
    this.seen.clear();
    for (const entry of state.entries) {
      if (entry.state === "sent") Object.assign(entry, { state: "unsent", cursor: null });
      if (entry.kind === "bot") entry.buttons = entry.buttons.filter((button) => button.href);
      if (entry.kind === "bot") entry.whole = true;
      this.view.entry(entry, "changed");
    }
    this.#showWriting();
    if (!unused) this.#add({ kind: "note", key: this.newKey(), text: "renewed" }, this.#unsent()[0]);
    this.store.save();
    this.#pump();
    return !unused;
  }

  // Receiving

  /** Reads a turn to its end, reopening the stream as often as it breaks. */
  async #follow(entry, response) {
    if (this.#following.has(entry.key)) return;
    this.#following.add(entry.key);
    const token = this.store.state.token;
    const alive = () => !this.#stopped && entry.state === "sent" && this.store.state.token === token;
    let source = response;
    let failures = 0;
    try {
      while (alive()) {
        try {
          source ??= await this.channel.resume(token, entry.cursor ?? 0);
          for await (const event of readEvents(source, { eventMs: TURN_LIMIT_MS })) {
            if (!alive()) return;
            failures = 0;
            entry.heardAt = Date.now();
            this.view.connection(null);
            if (event.event === "error" && event.data.code === "gap") this.#askAgain(entry);
            else this.#receive(event, entry, source === response);
            if (!alive()) return;
          }
        } catch (error) {
          if (error instanceof SessionEnded) {
            this.#renew(token);
            return;
          }
          if (error instanceof Refused) return void this.#fail(entry, "lost");
        }
        source = null;
        if (!alive()) return;
        if (Date.now() - (entry.heardAt ?? entry.sentAt) > TURN_LIMIT_MS) return void this.#fail(entry, "lost");
        if (++failures > QUIET_RESUMES) this.view.connection({ kind: "unreachable" });
        await this.#pause(backOff(failures - 1));
      }
    } finally {
      this.#following.delete(entry.key);
      this.#showWriting();
    }
  }

  /**
   * The server no longer has all events since this turn's last one (it was restarted, say). Sending
   * the message again under its id replays the turn, or runs it if the server never finished it.
   */
  #askAgain(entry) {
    entry.state = "unsent";
    this.#changed(entry);
    this.#pump();
  }

  /** own: the event came on the response to this turn's own message. */
  #receive({ id, event, data }, entry, own) {
    const isNew = this.#markSeen(id, event, data);
    if (id !== null) entry.cursor = id;
    if (event === "done" && own) this.#finish(entry);
    if (isNew) {
      if (event === "stream_chunk") this.#grow(data);
      else if (event === "stream_end") this.#whole(data.id, data);
      else if (event === "message") this.#whole(data.id ?? `event-${id}`, data);
      else if (event === "error") this.#fail(entry, "broken");
      else if (event === "done" && !own) this.#finish(this.#oldestOpen() ?? entry);
    }
    this.store.save();
  }

  /** False when this very event was seen before. The content counts too: ids may start again with the server. */
  #markSeen(id, event, data) {
    if (id === null) return true;
    const state = this.store.state;
    const key = `${id}:${digest(event + JSON.stringify(data))}`;
    if (this.seen.has(key)) return false;
    this.seen.add(key);
    if (this.seen.size > SEEN_LIMIT) this.seen.delete(this.seen.values().next().value);
    state.seen = [...this.seen];
    if (state.lastId === null || !(Number(id) < Number(state.lastId))) state.lastId = id;
    return true;
  }

  #grow({ id, text }) {
    const entry = this.#bot(id);
    if (!entry) return void this.#add(botEntry(id, { text, whole: false }));
    if (entry.whole) return;
    entry.text += text;
    this.view.entry(entry, "grew");
  }

  #whole(id, data) {
    const entry = this.#bot(id);
    if (data.country) this.onCountry(data.country);
    const buttons = readButtons(data.buttons);
    const fresh = botEntry(id, {
      text: String(data.text ?? entry?.text ?? ""),
      whole: true,
      source: data.source ?? null,
      flow: data.flow ?? null,
      card: data.card ?? null,
      buttons,
      asks: buttons.some((button) => button.payload),
    });
    if (!entry) {
      if (fresh.text.trim() !== "" || fresh.buttons.length > 0) this.#add(fresh);
      return;
    }
    Object.assign(entry, fresh, { helpful: entry.helpful });
    this.view.entry(entry, "finished");
  }

  #finish(entry) {
    if (entry.state !== "sent") return;
    entry.state = "done";
    this.#settle(entry);
  }

  #fail(entry, problem) {
    Object.assign(entry, { state: "failed", problem });
    this.#settle(entry);
  }

  /** A turn is over: what it left half-written stays as it is. */
  #settle(entry) {
    this.#changed(entry);
    if (!this.#oldestOpen()) {
      for (const bot of this.store.state.entries) {
        if (bot.kind !== "bot" || bot.whole) continue;
        bot.whole = true;
        this.view.entry(bot, "finished");
      }
    }
    this.store.save();
    this.#showWriting();
  }

  #bot(key) {
    return this.store.state.entries.find((entry) => entry.kind === "bot" && entry.key === key);
  }

  #oldestOpen() {
    return this.store.state.entries.find((entry) => entry.state === "sent");
  }

  #showWriting() {
    if (!this.#stopped) this.view.writing(this.#oldestOpen() !== undefined);
  }

  /** before: the entry it goes in front of; the end of the conversation if there is none. */
  #add(entry, before = null) {
    const entries = this.store.state.entries;
    entries.splice(before ? entries.indexOf(before) : entries.length, 0, entry);
    this.view.entry(entry, "added", before);
    this.store.save();
  }

  #changed(entry) {
    this.view.entry(entry, "changed");
    this.store.save();
  }

  /** Waits; retryNow() and stop() cut the wait short unless it must be kept. */
  #pause(ms, value = null, canWake = true) {
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        this.#wake.delete(finish);
        resolve(value);
      };
      const timer = setTimeout(finish, ms);
      if (canWake) this.#wake.add(finish);
    });
  }
}

function botEntry(key, fields) {
  return { kind: "bot", key, text: "", whole: false, source: null, flow: null, card: null, buttons: [], asks: false, helpful: null, ...fields };
}

/** Rasa buttons as {title, payload} or {title, href}; a link only with a scheme that is safe to follow. */
function readButtons(buttons) {
  if (!Array.isArray(buttons)) return [];
  return buttons.flatMap(({ title, payload, url }) => {
    const target = [url, payload].find((text) => /^(tel:|sms:|https:\/\/)/i.test(String(text ?? "")));
    if (typeof title !== "string" || title === "") return [];
    if (target) return [{ title, href: target }];
    return typeof payload === "string" ? [{ title, payload }] : [];
  });
}

/** 128 random bits in hex. (randomUUID does not exist on a page served over plain http.) */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function backOff(failures) {
  return BACK_OFF_MS[Math.min(failures, BACK_OFF_MS.length - 1)];
}

/** A short fingerprint (FNV-1a, 32 bit) that tells a replayed event from another one with its id. */
function digest(text) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(36);
}
