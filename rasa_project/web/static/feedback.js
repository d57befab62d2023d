/** "That helped / That did not" under a reply, and the optional line on what was missing. */

const FAILED = "That could not be stored just now. You can try again.";
const COMMENT_LABEL = "What would have been better? (optional)";
const COMMENT_HINT = "The people who run this page may read it later. Nobody answers it.";

let formCount = 0;

/**
 * The row of controls for one bot message.
 * judge(helpful, comment) resolves to true once stored; say(words) speaks to a screen reader.
 */
export function feedbackRow({ helpful, canComment, judge, say }) {
  const row = document.createElement("div");
  row.className = "feedback";
  row.setAttribute("role", "group");
  row.setAttribute("aria-label", "Did this reply help?");
  const yes = vote("That helped", helpful === true);
  const no = vote("That did not", helpful === false);
  const thanks = document.createElement("span");
  thanks.className = "thanks";
  row.append(yes, no, thanks);

  const tell = (words) => {
    thanks.textContent = words;
    say(words);
  };
  const choose = async (isHelpful) => {
    row.querySelector(".comment")?.remove();
    press(yes, isHelpful);
    press(no, !isHelpful);
    const stored = await judge(isHelpful);
    if (!stored) {
      press(yes, helpful === true);
      press(no, helpful === false);
      return tell(FAILED);
    }
    helpful = isHelpful;
    tell("Thank you.");
    if (!isHelpful && canComment) row.append(commentForm({ judge, tell, no }));
  };
  yes.addEventListener("click", () => choose(true));
  no.addEventListener("click", () => choose(false));
  return row;
}

function vote(label, pressed) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "vote";
  button.textContent = label;
  press(button, pressed);
  return button;
}

function press(button, pressed) {
  button.setAttribute("aria-pressed", String(pressed));
}

function commentForm({ judge, tell, no }) {
  const form = document.createElement("form");
  form.className = "comment";
  const id = `comment-${(formCount += 1)}`;
  const label = element("label", COMMENT_LABEL);
  label.htmlFor = id;
  const box = document.createElement("textarea");
  Object.assign(box, { id, rows: 2, maxLength: 500, dir: "auto" });
  const hint = element("p", COMMENT_HINT);
  hint.className = "fine";
  hint.id = `${id}-hint`;
  box.setAttribute("aria-describedby", hint.id);
  const send = element("button", "Send this note");
  send.type = "submit";
  const skip = element("button", "Not now");
  skip.type = "button";
  send.className = "button small-button";
  skip.className = "button small-button plain";
  const row = document.createElement("div");
  row.className = "row";
  row.append(send, skip);
  form.append(label, box, hint, row);

  const close = () => {
    form.remove();
    no.focus();
  };
  skip.addEventListener("click", close);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const comment = box.value.trim();
    if (comment === "") return close();
    if (await judge(false, comment)) {
      close();
      tell("Thank you, noted.");
    } else {
      tell(FAILED);
    }
  });
  return form;
}

function element(name, text) {
  const node = document.createElement(name);
  node.textContent = text;
  return node;
}
