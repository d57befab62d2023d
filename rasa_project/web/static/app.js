/** Wires the page: every part is made here once and told about the others. */

import { Announcer } from "./announcer.js";
import { Channel } from "./channel.js";
import { Composer } from "./composer.js";
import { knownContacts } from "./contact_links.js";
import { Conversation } from "./conversation.js";
import { Help } from "./help.js";
import { exitUrl, startQuickExit } from "./quick_exit.js";
import { Scroll } from "./scroll.js";
import { TabStore } from "./tab_store.js";
import { noteWords, problemWords, Transcript } from "./transcript.js";

const UNREACHABLE =
  "I can’t reach the server. Your message is kept, and I’ll keep trying. If you need someone now: Get help now.";
const WAITING = (seconds) =>
  `That was a lot at once for me. Your message is kept and goes out by itself in ${seconds} ${
    seconds === 1 ? "second" : "seconds"
  }.`;
const WRITING_SPOKEN_AFTER_MS = 2000;

const byId = (id) => document.getElementById(id);

function main() {
  const store = new TabStore();
  const announcer = new Announcer(byId("spoken"));
  const scroll = new Scroll({ area: byId("scroll"), button: byId("latest") });
  const say = (words) => announcer.say(words);

  const help = new Help({
    dialog: byId("help"),
    chosen: store.state.chosenCountry ?? store.state.toldCountry,
    onChoose: (chosen) => {
      store.state.chosenCountry = chosen;
      store.state.country = help.country;
      store.save();
      transcript.refreshReach();
    },
  });
  store.state.country = help.country;

  const transcript = new Transcript({
    list: byId("messages"),
    contacts: () => knownContacts(byId("help")),
    reachBlock: (isImminent) => help.reachBlock(isImminent),
    choose: ({ title, payload }, byKeyboard) => {
      speak(title, payload);
      if (byKeyboard) composer.focus();
    },
    judge: (key, helpful, comment) => conversation.judge(key, helpful, comment),
    again: (key) => {
      conversation.again(key);
      composer.focus();
    },
    say,
  });

  const view = {
    entry(entry, change, before) {
      byId("starters").hidden = true;
      const item = transcript.put(entry, { fresh: change === "added", before });
      if (change === "restored") return;
      if (entry.kind === "bot" && change !== "changed") scroll.grew(transcript.answerStart(item));
      if (entry.kind === "note" && change === "added") say(noteWords(entry));
      if (entry.state === "failed") say(`${problemWords(entry)} You can send it again.`);
      if (entry.kind !== "bot") return;
      if (entry.whole) announcer.whole(entry.key, entry.text);
      else announcer.growing(entry.key, entry.text);
      if (change === "added" && entry.buttons.length > 0) say(choicesSpoken(entry.buttons));
    },
    writing: showWriting(scroll, say),
    connection: showConnection(say),
  };

  const channel = new Channel(new URL(".", location.href));
  const conversation = new Conversation({
    channel,
    store,
    view,
    onCountry: (country) => {
      if (store.state.chosenCountry !== null || country === help.current) return;
      help.told(country);
      store.state.toldCountry = country;
      store.state.country = help.country;
      store.save();
      transcript.refreshReach();
    },
  });

  function speak(text, payload = null) {
    scroll.toEnd();
    conversation.say(text, payload);
    scroll.toEnd();
  }

  const composer = new Composer({
    form: byId("composer"),
    box: byId("message"),
    draft: store.state.draft,
    send: (text) => speak(text),
    keepDraft: (text) => {
      store.state.draft = text;
      store.save();
    },
  });

  startQuickExit({
    link: byId("leave"),
    url: exitUrl(document.body.dataset.exitUrl),
    wipe: () => {
      conversation.stop();
      announcer.clear();
      transcript.clear();
      store.wipe();
      byId("message").value = "";
    },
  });

  help.start();
  scroll.start();
  composer.start();
  byId("starters").hidden = store.state.entries.length > 0;
  byId("starters").addEventListener("click", (event) => {
    const starter = event.target.closest("button");
    if (starter) composer.fill(starter.textContent.endsWith(".") ? starter.textContent : `${starter.textContent} `);
  });
  byId("connection-retry").addEventListener("click", () => conversation.retryNow());
  window.addEventListener("online", () => conversation.retryNow());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") conversation.retryNow();
  });
  conversation.start();
  if (store.state.entries.length > 0) scroll.toEnd("auto");
}

function choicesSpoken(buttons) {
  return `You can choose: ${buttons.map((button) => button.title).join(", ")}. Or write your own answer.`;
}

function showWriting(scroll, say) {
  let timer = null;
  return (isWriting) => {
    if (byId("writing").hidden === !isWriting) return;
    byId("writing").hidden = !isWriting;
    clearTimeout(timer);
    if (!isWriting) return;
    timer = setTimeout(() => say("Stillpoint is writing."), WRITING_SPOKEN_AFTER_MS);
    scroll.grew(byId("messages").lastElementChild);
  };
}

function showConnection(say) {
  let shown = null;
  return (trouble) => {
    const words = trouble && (trouble.kind === "waiting" ? WAITING(trouble.seconds) : UNREACHABLE);
    if (words === shown) return;
    shown = words;
    byId("connection").hidden = words === null;
    byId("connection-words").textContent = words ?? "";
    byId("connection-retry").hidden = trouble?.kind === "waiting";
    if (words) say(words);
  };
}

main();
