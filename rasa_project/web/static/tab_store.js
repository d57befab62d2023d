/**
 * What this tab remembers, in sessionStorage only: gone with the tab, wiped by "Quick exit".
 * Where the browser refuses storage (some embedded frames), it remembers until the page is left.
 */

const KEY = "stillpoint";

function blank() {
  return { version: 1, token: null, entries: [], seen: [], lastId: null, draft: "", country: null, chosenCountry: null, toldCountry: null };
}

export class TabStore {
  #wiped = false;

  constructor(storage = sessionStorageOrNull()) {
    this.storage = storage;
    /** token, entries (see conversation.js), seen event keys, lastId, draft, country (for the server), chosenCountry, toldCountry (named in the conversation). */
    this.state = this.#load();
  }

  /** Writes the state. After wipe() it writes nothing more. */
  save() {
    if (this.#wiped) return;
    try {
      this.storage?.setItem(KEY, JSON.stringify(this.state));
    } catch {
      // Storage full or withdrawn: the conversation goes on without surviving a reload.
    }
  }

  /** Forgets everything, for good. */
  wipe() {
    this.#wiped = true;
    this.state = blank();
    try {
      this.storage?.removeItem(KEY);
    } catch {
      // Nothing was stored then.
    }
  }

  get wiped() {
    return this.#wiped;
  }

  #load() {
    try {
      const state = JSON.parse(this.storage?.getItem(KEY) ?? "null");
      if (state?.version === 1 && Array.isArray(state.entries)) return { ...blank(), ...state };
    } catch {
      // Unreadable: start afresh.
    }
    return blank();
  }
}

function sessionStorageOrNull() {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}
