/** Keeps the newest words in view for someone who reads along, and never pulls away someone who reads back. */

const NEAR_PX = 90;
const MARGIN_PX = 14;
const BY_HAND_MS = 1000;

export class Scroll {
  #follows = false; // whether new words may move the view
  #first = null; // the message whose beginning must stay visible
  #goal = null; // where the view is, or is smoothly going to
  #byHandAt = -Infinity;

  /** area: the scrolling element; button: offers the way down. */
  constructor({ area, button }) {
    this.area = area;
    this.button = button;
  }

  start() {
    for (const name of ["wheel", "touchmove", "keydown", "pointerdown"]) {
      this.area.addEventListener(name, () => (this.#byHandAt = performance.now()), { passive: true });
    }
    this.area.addEventListener("wheel", ({ deltaY }) => deltaY < 0 && (this.#follows = false), { passive: true });
    this.area.addEventListener("scroll", () => {
      const isAtEnd = this.#below(this.area.scrollTop) < NEAR_PX;
      if (performance.now() - this.#byHandAt < BY_HAND_MS) {
        this.#follows = isAtEnd;
        this.#goal = null;
      }
      if (isAtEnd) this.button.hidden = true;
    });
    this.button.addEventListener("click", () => {
      this.area.focus({ preventScroll: true });
      this.toEnd();
    });
    const observer = new ResizeObserver(() => this.#follows && this.#advance());
    observer.observe(this.area);
    observer.observe(this.area.firstElementChild);
  }

  /**
   * Something was added or grew. `first` is the first message of the answer being given: the view
   * moves down only as far as its beginning stays visible.
   */
  grew(first) {
    this.#first = first;
    if (this.#follows) this.#advance();
    if (this.#below(this.#goal ?? this.area.scrollTop) >= NEAR_PX) this.button.hidden = false;
  }

  /** Goes to the newest words and follows again. */
  toEnd(behavior) {
    this.#follows = true;
    this.#first = null;
    this.#byHandAt = -Infinity;
    this.button.hidden = true;
    this.#go(this.#end, behavior);
  }

  get #end() {
    return this.area.scrollHeight - this.area.clientHeight;
  }

  #advance() {
    const limit = this.#first ? this.#first.offsetTop - MARGIN_PX : this.#end;
    this.#go(Math.min(this.#end, limit));
  }

  #go(top, behavior) {
    this.#goal = Math.max(0, top);
    this.area.scrollTo({ top: this.#goal, ...(behavior ? { behavior } : {}) });
  }

  #below(top) {
    return this.#end - top;
  }
}
