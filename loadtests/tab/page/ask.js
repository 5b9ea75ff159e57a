// Asks Locust's server, which asks everybody else: all requests of the tab go through here.

const BASE = new URL(".", import.meta.url);
const LIMIT_MS = 10000;
export const HEAL_LIMIT_MS = 95000;

export async function get(path) {
  return answer(await fetch(new URL(path, BASE), { signal: AbortSignal.timeout(LIMIT_MS) }));
}

export async function post(path, body = {}, limit = LIMIT_MS) {
  const headers = { "Content-Type": "application/json" };
  const signal = AbortSignal.timeout(limit);
  return answer(await fetch(new URL(path, BASE), { method: "POST", headers, body: JSON.stringify(body), signal }));
}

async function answer(response) {
  const found = await response.json().catch(() => null);
  if (response.ok && found) return found;
  throw new Error(found?.error ?? `Locust answers ${response.status}: sign in again, or look at its log`);
}

/** An error in words: a request that never came back has none of its own. */
export const words = (error) =>
  error.name === "TimeoutError" || error instanceof TypeError ? "Locust does not answer" : error.message;
