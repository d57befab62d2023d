/** The conversation as the page shows it: one list item per entry, updated in place. */

import { linkContacts, mayLink } from "./contact_links.js";
import { feedbackRow } from "./feedback.js";

const NOTES = {
  renewed: "A new conversation has started. Stillpoint no longer has what was written above.",
};
const PROBLEMS = {
  too_long: "That was too long to send in one go. Could you send it in smaller parts?",
  refused: "The server did not take this message.",
  broken: "Something went wrong on Stillpoint’s side, so there is no full reply to this.",
  lost: "The reply to this did not arrive.",
};
const SENDING_SHOWN_AFTER_MS = 1500;

export class Transcript {
  #items = new Map();

  /**
   * list: the <ol>; contacts(): known helplines; reachBlock(isImminent): a block with
   * ways to reach a person, for crisis cards; choose(button), judge(key, helpful, comment), again(key), say(words).
   */
  constructor({ list, contacts, reachBlock, choose, judge, again, say }) {
    Object.assign(this, { list, contacts, reachBlock, choose, judge, again, say });
  }

  /** Shows an entry, or brings what is shown of it up to date. Returns its element. */
  put(entry, { fresh = false, before = null } = {}) {
    let item = this.#items.get(entry.key);
    if (!item) {
      item = document.createElement("li");
      this.#items.set(entry.key, item);
      this.list.insertBefore(item, (before && this.#items.get(before.key)) ?? null);
      if (fresh) item.classList.add("fresh");
    }
    if (entry.kind === "you") this.#you(item, entry);
    else if (entry.kind === "bot") this.#bot(item, entry);
    else this.#note(item, entry);
    return item;
  }

  /** The first message of the answer that `item` is part of. */
  answerStart(item) {
    let first = item;
    while (first.previousElementSibling?.classList.contains("bot")) first = first.previousElementSibling;
    return first;
  }

  /** Renews the ways to reach a person, after another country was chosen. */
  refreshReach() {
    this.#placeReach();
  }

  clear() {
    this.#items.clear();
    this.list.replaceChildren();
  }

  #you(item, entry) {
    item.classList.add("message", "you");
    if (!item.hasChildNodes()) {
      const state = make("p", "state");
      item.append(bubble("You wrote: ", entry.text), state);
    }
    const state = item.querySelector(".state");
    item.querySelector(".again")?.remove();
    clearTimeout(item.sendingTimer);
    state.textContent = entry.state === "failed" ? problemWords(entry) : "";
    if (entry.state === "unsent") {
      item.sendingTimer = setTimeout(() => (state.textContent = "Sending…"), SENDING_SHOWN_AFTER_MS);
    }
    if (entry.state === "failed") {
      const button = make("button", "button small-button again", "Send again");
      button.type = "button";
      button.addEventListener("click", () => this.again(entry.key));
      item.append(button);
    }
  }

  #bot(item, entry) {
    const isCrisis = entry.flow === "crisis";
    item.classList.add("message", "bot");
    item.classList.toggle("crisis", isCrisis);
    item.dataset.card = entry.card ?? "";
    const shown = bubble("Stillpoint: ", entry.text, mayLink(entry) ? this.contacts() : null);
    const old = item.querySelector(".bubble");
    if (old) old.replaceWith(shown);
    else item.append(shown);
    if (isCrisis) this.#placeReach();

    item.querySelector(".choices")?.remove();
    if (entry.buttons.length > 0) shown.after(this.#choices(entry));
    // A question of the crisis flow asks for an answer, not for a judgement.
    const isJudged = entry.whole && !(isCrisis && entry.asks);
    if (isJudged && !item.querySelector(".feedback")) {
      item.append(
        feedbackRow({
          helpful: entry.helpful,
          canComment: !isCrisis, // a comment is not screened for danger; in a crisis words belong in the conversation
          judge: (helpful, comment) => this.judge(entry.key, helpful, comment),
          say: this.say,
        }),
      );
    }
  }

  /** One block with ways to reach a person, on the last card that names them: never a wall of numbers. */
  #placeReach() {
    for (const block of this.list.querySelectorAll(".reach")) block.remove();
    const crisis = [...this.list.querySelectorAll(".crisis")];
    const card = crisis.findLast((item) => item.dataset.card !== "") ?? crisis.at(-1);
    card?.querySelector(".bubble").append(this.reachBlock(card.dataset.card === "crisis_imminent"));
  }

  #choices(entry) {
    const row = make("div", "choices");
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", "Answers you can choose");
    for (const button of entry.buttons) {
      const control = make(button.href ? "a" : "button", "button", button.title);
      if (button.href) {
        control.href = button.href;
        if (button.href.startsWith("https:")) Object.assign(control, { target: "_blank", rel: "noopener noreferrer" });
      } else {
        control.type = "button";
        control.addEventListener("click", (event) => this.choose(button, event.detail === 0));
      }
      row.append(control);
    }
    return row;
  }

  #note(item, entry) {
    item.classList.add("message", "note");
    item.textContent = noteWords(entry);
  }
}

/** The words of a note entry. */
export function noteWords(entry) {
  return NOTES[entry.text] ?? entry.text;
}

/** What is said under a message that failed. */
export function problemWords(entry) {
  return PROBLEMS[entry.problem] ?? PROBLEMS.broken;
}

function bubble(speaker, text, contacts = null) {
  const box = make("div", "bubble");
  box.dir = "auto";
  const who = make("span", "hidden", speaker);
  const paragraphs = text.split(/\n{2,}/);
  paragraphs.forEach((words, index) => {
    const paragraph = document.createElement("p");
    if (index === 0) paragraph.append(who);
    paragraph.append(contacts ? linkContacts(words, contacts) : words);
    box.append(paragraph);
  });
  return box;
}

function make(name, className, text = "") {
  const node = document.createElement(name);
  node.className = className;
  if (text) node.textContent = text;
  return node;
}
