/**
 * Turns phone numbers and addresses in a scripted message into links a thumb can hit.
 *
 * Only numbers that the page's own helpline list carries become links, so that no text, whoever
 * wrote it, can make the page dial anything else. Of addresses, those written out with https://
 * and the sites of that list. Pure text in, DOM nodes out; never HTML.
 */

const SPOKEN_BY_PEOPLE = new Set(["crisis", "referral", "no_answer"]);
const NOT_INSIDE_A_NUMBER = ["(?<![\\d.,+*-])", "(?![\\d-]|[.,]\\d)"];
const NOT_INSIDE_A_NAME = ["(?<![\\w./@-])", "(?![\\w@-]|\\.\\w)"];
const ADDRESS = "https://[^\\s<>\"']*[^\\s<>\"'.,;:!?)\\]]";
const CALL = /\b(call|dial|ring|phone)\b/i;
const TEXT = /\b(text|texting|sms)\b/i;

/** Whether the words of an entry may carry links: scripted ones of the flows that name helplines. */
export function mayLink(entry) {
  return entry.source === "scripted" && SPOKEN_BY_PEOPLE.has(entry.flow);
}

/** What the helpline list below `root` carries: numbers (digits, perhaps after a star → {tel?, sms?}) and sites (host → href). */
export function knownContacts(root) {
  const numbers = new Map();
  const sites = new Map();
  for (const link of root.querySelectorAll("a[href]")) {
    const href = link.getAttribute("href");
    const [, scheme, digits] = /^(tel|sms):\+?(\*?\d+)/.exec(href) ?? [];
    if (digits) {
      const entry = numbers.get(digits) ?? {};
      entry[scheme] ??= href;
      numbers.set(digits, entry);
    } else if (href.startsWith("https://")) {
      sites.set(new URL(href).host.replace(/^www\./, ""), href);
    }
  }
  return { numbers, sites };
}

/** `text` as a fragment with its known contacts as links. */
export function linkContacts(text, { numbers, sites }) {
  const fragment = document.createDocumentFragment();
  let from = 0;
  for (const match of text.matchAll(contactPattern(numbers, sites))) {
    const { number, site, address } = match.groups;
    const before = text.slice(Math.max(0, match.index - 24), match.index);
    const href = number ? dial(before, numbers.get(number.replace(/[^\d*]/g, ""))) : address ?? sites.get(site);
    const link = document.createElement("a");
    link.href = href;
    link.textContent = match[0];
    if (!number) Object.assign(link, { target: "_blank", rel: "noopener noreferrer" });
    fragment.append(text.slice(from, match.index), link);
    from = match.index + match[0].length;
  }
  fragment.append(text.slice(from));
  return fragment;
}

function contactPattern(numbers, sites) {
  const spaced = longestFirst(numbers).map((digits) => [...digits].join("[ \\u00a0-]?").replace("*", "\\*"));
  const named = longestFirst(sites).map((host) => host.replaceAll(".", "\\."));
  return new RegExp(
    `(?<address>${ADDRESS})` +
      `|${NOT_INSIDE_A_NUMBER.join(group("number", spaced))}` +
      `|${NOT_INSIDE_A_NAME.join(group("site", named))}`,
    "g",
  );
}

/** A named group of alternatives; one that never matches where there are none. */
function group(name, alternatives) {
  return `(?<${name}>${alternatives.length > 0 ? alternatives.join("|") : "(?!)"})`;
}

function longestFirst(map) {
  return [...map.keys()].sort((a, b) => b.length - a.length);
}

function dial(wordsBefore, { tel, sms }) {
  const clause = wordsBefore.split(/[.;:!?\n]/).pop();
  const isText = TEXT.test(clause) && !CALL.test(clause);
  return isText ? sms ?? tel : tel ?? sms;
}
