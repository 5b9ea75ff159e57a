// Asks the control API. All requests of the page but the live events go through here.

const LIMIT_MS = 10000;

/** The API said no; `message` has its words. */
export class Refused extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

/** Ask and return the JSON (or the text) of the answer. Throws Refused, or what fetch throws. */
export async function ask(path, { method = "GET", body } = {}) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  const answer = await fetch(path, { method, headers, body, signal: AbortSignal.timeout(LIMIT_MS) });
  const text = await answer.text();
  const data = parsed(text, answer.headers.get("Content-Type"));
  if (!answer.ok) throw new Refused(answer.status, data?.error ?? text);
  return data;
}

function parsed(text, type) {
  return type?.startsWith("application/json") ? JSON.parse(text) : text;
}

/** What went wrong, for people. */
export function words(error) {
  if (error instanceof Refused) return error.message;
  return `The sink does not answer (${error.message}).`;
}

/** Do `turn` now and every `every_ms`, as long as somebody looks; returns a function that does it at once. */
export function regularly(every_ms, turn) {
  let timer = 0;
  const go = async () => {
    clearTimeout(timer);
    timer = 0;
    try {
      if (!document.hidden) await turn();
    } finally {
      clearTimeout(timer);
      timer = setTimeout(go, every_ms);
    }
  };
  document.addEventListener("visibilitychange", () => document.hidden || go());
  go();
  return go;
}
