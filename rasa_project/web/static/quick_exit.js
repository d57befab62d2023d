/** Quick exit: away from this page at once, leaving nothing of the conversation behind in this tab. */

const PRESSES = 3;
const WITHIN_MS = 1500;
const FRAME_GRACE_MS = 300;

/**
 * link: the control; url: where to go; wipe(): empties page and storage.
 * In a frame the site around it is asked to leave too (embed.js listens), for a browser may keep a
 * frame from moving it; if neither works, the frame alone leaves.
 */
export function startQuickExit({ link, url, wipe }) {
  let presses = [];
  const leave = () => {
    wipe();
    document.title = "…";
    document.body.replaceChildren();
    if (window.parent !== window) {
      window.parent.postMessage({ type: "stillpoint:exit" }, "*");
      try {
        window.top.location.replace(url);
      } catch {
        // The browser lets no frame move its top page without a click.
      }
      setTimeout(() => window.location.replace(url), FRAME_GRACE_MS);
      return;
    }
    window.location.replace(url);
  };
  link.href = url;
  link.addEventListener("click", (event) => {
    event.preventDefault();
    leave();
  });
  window.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape" || event.repeat) return;
      presses = [...presses.filter((at) => event.timeStamp - at < WITHIN_MS), event.timeStamp];
      if (presses.length >= PRESSES) leave();
    },
    true,
  );
}

/** The address to leave to: https only, with a neutral page where none or another kind is given. */
export function exitUrl(wanted) {
  return /^https:\/\/[^\s]+$/i.test(wanted ?? "") ? wanted : "https://www.wikipedia.org";
}
