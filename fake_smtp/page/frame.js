// The one place where a mail's HTML becomes HTML: a frame without scripts, forms, links, an origin or a network.

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
const HEAD = `<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta http-equiv="x-dns-prefetch-control" content="off"><meta name="color-scheme" content="light"><base target="_blank">
<style>body { font: 15px/1.5 system-ui, sans-serif; background: #fff; color: #1b2230; }
a { color: #2450b8; text-decoration: underline; }</style>`;
const USELESS = "script, iframe, frame, object, embed, link, base, meta";

// Browsers without trusted types take the text itself.
const policy = window.trustedTypes?.createPolicy("mail-frame", { createHTML: (html) => html });
const trusted = (html) => (policy ? policy.createHTML(html) : html);

/** Return a frame that shows this HTML and can do nothing else. */
export function mailFrame(html) {
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "");
  frame.setAttribute("title", "HTML of the mail");
  frame.setAttribute("referrerpolicy", "no-referrer");
  frame.className = "html";
  frame.srcdoc = trusted(`<!doctype html>${HEAD}${quiet(html)}`);
  return frame;
}

/**
 * Take out what makes a browser open a connection in advance, though sandbox and policy stop the request: frames, and
 * links when the mouse touches them. Where a link would have led stays readable.
 */
function quiet(html) {
  const inert = new DOMParser().parseFromString(trusted(html), "text/html");
  for (const node of inert.querySelectorAll(USELESS)) node.remove();
  for (const link of inert.querySelectorAll("[*|href]")) {
    link.setAttribute("title", link.getAttribute("href") ?? "");
    for (const name of ["href", "xlink:href"]) link.removeAttribute(name);
  }
  return inert.documentElement.outerHTML;
}
