/** The field to write in. Enter sends, Shift+Enter starts a new line, an unfinished word is never sent. */

export class Composer {
  /** form, box: the form and its textarea; send(text); keepDraft(text) is told of every change. */
  constructor({ form, box, draft, send, keepDraft }) {
    Object.assign(this, { form, box, send, keepDraft });
    box.value = draft;
  }

  start() {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#submit();
    });
    this.box.addEventListener("input", () => this.#changed());
    this.#fit();
  }

  /** Puts words into the field for the person to finish; it sends nothing. */
  fill(text) {
    this.box.value = text;
    this.box.focus();
    this.box.setSelectionRange(text.length, text.length);
    this.#changed();
  }

  focus() {
    this.box.focus();
  }

  #submit() {
    const text = this.box.value.trim();
    this.box.focus();
    if (text === "") return;
    this.box.value = "";
    this.#changed();
    this.send(text);
  }

  #changed() {
    this.keepDraft(this.box.value);
    this.#fit();
  }

  #fit() {
    this.box.style.height = "auto";
    const border = this.box.offsetHeight - this.box.clientHeight;
    this.box.style.height = `${this.box.scrollHeight + border}px`;
  }
}
