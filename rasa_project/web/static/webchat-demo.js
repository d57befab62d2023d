/** Starts the rasa-webchat widget against the socketio channel of this server. */
(() => {
  if (!window.WebChat) {
    document.getElementById("missing").hidden = false;
    return;
  }
  window.WebChat.default(
    {
      initPayload: null, // the person speaks first
      socketUrl: window.location.origin,
      socketPath: "/socket.io/",
      title: "Stillpoint",
      subtitle: "AI program, not a person",
      inputTextFieldHint: "Write here…",
      connectingText: "Connecting…",
      customData: {},
      embedded: false,
      hideWhenNotConnected: false,
      withRules: false,
      showMessageDate: false,
      customMessageDelay: () => 0, // a crisis reply must not wait for a typing effect
      params: { storage: "session" }, // gone with the tab
    },
    null,
  );
})();
