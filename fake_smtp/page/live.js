// Follows new mails, and says whether it still does. Used by the inbox alone.

const AGAIN_MS = 1000;

/** Call `opened` at each (re)connection, `lost` when it breaks, `mail` with every new entry. */
export function follow(listener) {
  let source = null;
  const connect = () => {
    if (!source && !document.hidden) source = connection(listener, again);
  };
  const leave = () => {
    source?.close();
    source = null;
  };
  const again = () => {
    leave();
    setTimeout(connect, AGAIN_MS);
  };
  // A browser has six connections to a server for all its tabs: those that nobody sees must not hold one.
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : connect()));
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", connect);
  connect();
}

function connection({ opened, lost, mail }, again) {
  const source = new EventSource("/events");
  source.addEventListener("open", opened);
  source.addEventListener("mail", (event) => mail(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    lost();
    // The browser would try again by itself after a broken connection, but not after an answer that is an error.
    again();
  });
  return source;
}
