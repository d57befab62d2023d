/**
 * The embeddable widget: one button on any site that opens the chat page in a frame.
 *
 *     <script src="https://YOUR-SERVER/webhooks/web/static/embed.js" defer
 *             data-label="Talk with Stillpoint" data-exit-url="https://www.wikipedia.org"></script>
 *
 * The frame loads on the first click, not before: a visitor who does not open it is not seen by the
 * server. The server must allow the site (frame_ancestors of the web channel).
 */
(() => {
  const script = document.currentScript;
  const page = new URL("../", script.src);
  const exitUrl = /^https:\/\/\S+$/i.test(script.dataset.exitUrl ?? "")
    ? script.dataset.exitUrl
    : "https://www.wikipedia.org";
  const label = script.dataset.label || "Talk with Stillpoint";

  const SHEET = `
    :host { all: initial; }
    button { min-height: 3rem; padding: .5rem 1.15rem; border: 1px solid #1f5d57; border-radius: 999px; font: 600 1rem/1.25 system-ui, sans-serif;
      background: #1f5d57; color: #fff; cursor: pointer; }
    button:focus-visible { outline: 3px solid #1f5d57; outline-offset: 3px; box-shadow: 0 0 0 3px #fff; }
    .open { position: fixed; inset-block-end: 1.25rem; inset-inline-end: 1.25rem; z-index: 2147483000; box-shadow: 0 6px 24px rgb(0 0 0 / 22%); }
    .panel { position: fixed; inset-block-end: 1.25rem; inset-inline-end: 1.25rem; z-index: 2147483000; display: flex; flex-direction: column;
      width: min(26rem, calc(100vw - 2.5rem)); height: min(42rem, calc(100dvh - 2.5rem)); border: 1px solid #7d8783; border-radius: 1rem;
      overflow: hidden; background: #f7f4ee; box-shadow: 0 12px 48px rgb(0 0 0 / 28%); }
    .close { align-self: stretch; min-height: 2.75rem; border: 0; border-radius: 0; background: #17463f; }
    .close:focus-visible { outline-color: #fff; outline-offset: -5px; box-shadow: none; }
    iframe { flex: 1; width: 100%; border: 0; color-scheme: light dark; }
    [hidden] { display: none; }
    @media (max-width: 34rem) { .panel { inset: 0; width: auto; height: auto; border: 0; border-radius: 0; } }
    @media (prefers-color-scheme: dark) { .panel { background: #161b1c; } }`;

  const host = document.createElement("div");
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(SHEET);
  root.adoptedStyleSheets = [sheet];

  const open = make("button", "open", label);
  open.setAttribute("aria-expanded", "false");
  open.setAttribute("aria-haspopup", "dialog");
  const panel = make("div", "panel");
  panel.setAttribute("role", "dialog");
  panel.setAttribute("aria-label", label);
  panel.hidden = true;
  const close = make("button", "close", "Hide");
  const frame = document.createElement("iframe");
  frame.title = label;
  frame.referrerPolicy = "no-referrer";
  panel.append(close, frame);
  root.append(open, panel);

  function show(visible) {
    if (visible && !frame.src) frame.src = page.href;
    panel.hidden = !visible;
    open.hidden = visible;
    open.setAttribute("aria-expanded", String(visible));
    (visible ? close : open).focus();
  }

  open.addEventListener("click", () => show(true));
  close.addEventListener("click", () => show(false));
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") show(false);
  });
  // The frame's quick exit takes the whole site along. The address comes from this site, never from the message.
  window.addEventListener("message", (event) => {
    if (event.source !== frame.contentWindow || event.origin !== page.origin) return;
    if (event.data?.type !== "stillpoint:exit") return;
    host.remove();
    window.location.replace(exitUrl);
  });

  function make(name, className, text = "") {
    const element = document.createElement(name);
    element.className = className;
    if (name === "button") element.type = "button";
    element.textContent = text;
    return element;
  }

  if (document.body) document.body.append(host);
  else document.addEventListener("DOMContentLoaded", () => document.body.append(host));
})();
