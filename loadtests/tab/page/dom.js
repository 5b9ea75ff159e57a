// Builds elements. Texts become text nodes: nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element; `on…` attributes are listeners, true is an empty attribute, null and false are left out. */
export const el = (name, attributes = {}, ...children) =>
  filled(document.createElement(name), attributes, children);

/** The same for a picture. */
export const svg = (name, attributes = {}, ...children) =>
  filled(document.createElementNS(SVG, name), attributes, children);

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(9).filter((child) => child != null && child !== false && child !== ""));
  return node;
}

/** Say something only when it is new, so that screen readers do not repeat it. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Show these children; nothing is touched when they were built from the same data. */
export function fill(node, data, build) {
  const sign = JSON.stringify(data);
  if (node.sign === sign) return;
  node.sign = sign;
  node.replaceChildren(...build(data));
}
