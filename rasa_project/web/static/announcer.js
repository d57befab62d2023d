/**
 * Speaks finished sentences to a screen reader through one polite live region.
 * Text that is still growing never reaches it, and no sentence is spoken twice.
 */

const SENTENCE_END = /[.!?…。！？]["'”’)\]]*(?=\s|$)/gu;
const KEEP_MS = 30000;

/** How many characters of `text` are whole sentences. Deltas end at sentence ends. */
export function wholeSentences(text) {
  let end = 0;
  for (const match of text.matchAll(SENTENCE_END)) end = match.index + match[0].length;
  return end;
}

export class Announcer {
  #spoken = new Map(); // message key -> the text already spoken of it

  /** region: an element with role=status and aria-atomic=false. */
  constructor(region) {
    this.region = region;
  }

  /** Says one line now. */
  say(line) {
    const words = line.trim();
    if (words === "") return;
    const paragraph = document.createElement("p");
    paragraph.textContent = words;
    this.region.append(paragraph);
    setTimeout(() => paragraph.remove(), KEEP_MS);
  }

  /** Says what is new and finished in a growing message. */
  growing(key, text) {
    const spoken = this.#spoken.get(key) ?? "";
    const end = wholeSentences(text);
    if (end <= spoken.length) return;
    this.say(text.slice(spoken.length, end));
    this.#spoken.set(key, text.slice(0, end));
  }

  /** Says the rest of a message that is now whole; all of it if its words have changed since. */
  whole(key, text) {
    const spoken = this.#spoken.get(key) ?? "";
    if (spoken === text) return;
    this.say(text.startsWith(spoken) ? text.slice(spoken.length) : text);
    this.#spoken.set(key, text);
  }

  /** Forgets and silences everything. */
  clear() {
    this.#spoken.clear();
    this.region.replaceChildren();
  }
}
