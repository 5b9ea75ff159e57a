// Builds and updates elements for all views. Texts become text nodes: nothing here parses HTML.

/** Make an element; `on…` attributes are listeners, true is an empty attribute, null and false are left out. */
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(9).filter((child) => child != null && child !== false && child !== ""));
  return node;
}

export const byId = (id) => document.getElementById(id);

/** A small label; its words say everything, the kind only colours it. */
export const badge = (words, kind = "") => el("span", { class: `badge ${kind}` }, words);

/** A `dt` and a `dd`; nothing when there is no value. */
export const pair = (name, value) =>
  value == null || value === "" ? [] : [el("div", {}, el("dt", {}, name), el("dd", {}, value))];

/** Say something only when it is new, so that screen readers do not repeat it. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const signs = new WeakMap();

/** Make the children of `list` show `items`, one each; what is unchanged stays as it is, with its focus. */
export function keep(list, items, name, build) {
  const old = new Map([...list.children].map((node) => [node.dataset.name, node]));
  const next = items.map((item) => reused(old, item, String(item[name]), build));
  const wanted = new Set(next);
  const focus = list.contains(document.activeElement) ? document.activeElement.closest("[data-name]") : null;
  for (const node of [...list.children]) if (!wanted.has(node)) node.remove();
  next.forEach((node, at) => {
    if (list.children[at] !== node) list.insertBefore(node, list.children[at] ?? null);
  });
  if (focus && !focus.isConnected) refocus(list, focus.dataset.name);
}

function reused(old, item, name, build) {
  const sign = JSON.stringify(item);
  const known = old.get(name);
  if (known && signs.get(known) === sign) return known;
  const node = build(item);
  node.dataset.name = name;
  signs.set(node, sign);
  return node;
}

function refocus(list, name) {
  const again = [...list.children].find((node) => node.dataset.name === name) ?? list.lastElementChild;
  again?.querySelector("a")?.focus({ preventScroll: true });
}

/** Ask whether to empty the inbox; Escape is a no. */
export function sure() {
  const dialog = byId("sure");
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Let the arrow keys walk through the links of a list. */
export function walkable(list) {
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const link = step && event.target.closest("[data-name]")?.[step]?.querySelector("a");
    if (!link) return;
    event.preventDefault();
    link.focus();
  });
}

/** Mark the link to what is open. */
export function mark(list, name) {
  for (const node of list.children) {
    const link = node.querySelector("a");
    if (node.dataset.name === String(name)) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}
