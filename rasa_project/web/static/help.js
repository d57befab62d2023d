/** "Get help now": the dialog with helplines. Its content is in the page; nothing is fetched. */

import { probableCountry } from "./countries.js";

const ELSEWHERE = "elsewhere";
const FIND = "https://findahelpline.com";

export class Help {
  /** chosen: the country the person chose earlier in this tab, or null; onChoose(country) is told of a new one. */
  constructor({ dialog, chosen, onChoose }) {
    this.dialog = dialog;
    this.onChoose = onChoose;
    this.list = dialog.querySelector("#countries");
    this.chosenPlace = dialog.querySelector("#chosen");
    this.others = dialog.querySelector("#others");
    this.select = dialog.querySelector("#country");
    this.sections = new Map(
      [...this.list.querySelectorAll(".country")].map((section) => [section.dataset.country, section]),
    );
    this.probable = probableCountry();
    this.current = this.#listed(chosen ?? this.probable);
  }

  /** ISO 3166 alpha-2 code to tell the server: what was chosen, else what is probable, else null. */
  get country() {
    if (this.current !== ELSEWHERE) return this.current;
    return this.sections.has(this.probable) ? null : this.probable;
  }

  /** Makes every link to #help open the dialog, and lets the person choose a country. */
  start() {
    for (const [code, section] of this.sections) {
      this.select.append(new Option(section.querySelector("summary").textContent, code));
    }
    this.select.append(new Option("Somewhere else", ELSEWHERE));
    this.select.closest("[hidden]").hidden = false;
    this.select.addEventListener("change", () => {
      this.#arrange(this.select.value);
      this.onChoose(this.current);
    });
    document.addEventListener("click", (event) => {
      if (event.target.closest('a[href="#help"]')) {
        event.preventDefault();
        this.open();
      }
    });
    this.dialog.addEventListener("click", (event) => {
      const isBackdrop = event.target === this.dialog;
      if (!isBackdrop && !event.target.closest("#help-close")) return;
      event.preventDefault();
      this.dialog.close();
    });
    this.#arrange(this.current);
    if (location.hash === "#help") {
      history.replaceState(null, "", location.pathname + location.search);
      this.open();
    }
  }

  /** The country that the person named in the conversation; what they chose here goes before it. */
  told(country) {
    if (this.sections.has(country)) this.#arrange(country);
  }

  open() {
    if (this.dialog.open) return;
    this.#arrange(this.current);
    this.dialog.showModal();
    this.dialog.scrollTop = 0;
    this.dialog.querySelector("#help-title").focus();
  }

  /** A few ways to reach a person in this country, for a crisis card; the emergency number first if imminent. */
  reachBlock(isImminent = false) {
    const block = document.createElement("div");
    block.className = "reach";
    const where = document.createElement("p");
    where.className = "reach-where";
    const ways = document.createElement("p");
    ways.className = "ways";
    const section = this.sections.get(this.current);
    if (section) {
      where.textContent = `${section.querySelector(".line h3").textContent} · ${section.querySelector("summary").textContent}`;
      for (const way of section.querySelector(".line .ways").children) ways.append(way.cloneNode(true));
      const emergency = section.querySelector(".emergency a");
      if (emergency && isImminent) ways.prepend(emergency.cloneNode(true));
      else if (emergency) ways.append(emergency.cloneNode(true));
    } else {
      where.textContent = "Free helplines in many countries";
      ways.append(link(FIND, "findahelpline.com"));
    }
    ways.append(link("#help", section ? "Other lines and countries" : "Helplines by country"));
    for (const way of ways.children) way.className = "button way small-button";
    ways.firstElementChild.classList.add("solid");
    block.append(where, ways);
    return block;
  }

  #listed(code) {
    return this.sections.has(code) ? code : ELSEWHERE;
  }

  /** Puts the chosen country first and open; the others wait in one closed list. */
  #arrange(code) {
    this.current = this.#listed(code);
    this.select.value = this.current;
    for (const [country, section] of this.sections) {
      section.open = country === this.current;
      (section.open ? this.chosenPlace : this.list).append(section);
    }
    this.others.open = false;
    this.others.querySelector("summary").textContent = this.current === ELSEWHERE ? "All countries" : "Other countries";
  }
}

function link(href, words) {
  const anchor = document.createElement("a");
  anchor.href = href;
  anchor.textContent = words;
  if (!href.startsWith("#")) Object.assign(anchor, { target: "_blank", rel: "noopener noreferrer" });
  return anchor;
}
