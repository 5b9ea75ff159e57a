// One mail: who, what, its copies, and a tab for each way to look at it. What it carries is shown as text or framed.

import { ask, Refused, words } from "/page/api.js";
import { badge, byId, el, pair } from "/page/dom.js";
import { mailFrame } from "/page/frame.js";
import { attemptBadge, copyBadge } from "/page/rows.js";
import { transcriptOf } from "/page/transcript.js";
import { bytes, iso, many, when } from "/page/words.js";

const MOST_SOURCE = 500000;
const root = byId("mail");
const TABS = { html: "HTML", text: "Text", headers: "Headers", source: "Source", transcript: "Transcript" };
// The views that must ask for more, and are asked for anew each time they are opened.
const LATER = { source: sourceOf, transcript: ({ session }) => transcriptOf(session) };
let shown = null;
let turn = 0;

/** Show this mail with this tab; without a number say how to choose one. */
export async function open(number, tab) {
  const mine = ++turn;
  if (number == null) {
    shown = null;
    return root.replaceChildren(el("p", { class: "none" }, "Choose a mail to read it here."));
  }
  try {
    if (shown?.mail !== number) root.replaceChildren(back(), el("p", { class: "none" }, "Loading…"));
    const mail = await ask(`/mails/${number}`);
    const name = TABS[tab] && hasTab(mail, tab) ? tab : mail.html === null ? "text" : "html";
    const body = await bodyOf(mail, name);
    if (mine !== turn) return;
    const from_tab = shown?.mail === number && root.contains(document.activeElement);
    shown = mail;
    root.replaceChildren(back(), ...head(mail), tabs(mail, name), el("div", { class: `body ${name}` }, body));
    if (from_tab) root.querySelector(".tabs [aria-current]").focus();
  } catch (error) {
    if (mine === turn) root.replaceChildren(back(), el("p", { class: "none" }, gone(error, number)));
  }
}

const gone = (error, number) =>
  error instanceof Refused && error.status === 404 ? `Mail ${number} is not in the inbox (any more).` : words(error);

const back = () => el("a", { class: "back", href: "#inbox" }, "← Inbox");

const hasTab = (mail, tab) => tab !== "html" || mail.html !== null;

function head(mail) {
  // The numbers of all copies of this mail, itself among them.
  const all = mail.same;
  return [
    el("h2", { tabindex: -1 }, mail.subject.trim() || "(no subject)"),
    el("p", { class: "badges" },
      badge(`Mail ${mail.mail}`), copyBadge({ copy: all.indexOf(mail.mail) + 1, copies: all.length }), attemptBadge(mail)),
    others(mail, all),
    el("dl", { class: "facts" },
      pair("From", header(mail, "From")),
      pair("To", header(mail, "To")),
      pair("Envelope", `${mail.sender || "<>"} → ${mail.recipients.join(", ")}`),
      pair("Stored", el("time", { datetime: iso(mail.at_s), title: iso(mail.at_s) }, `${when(mail.at_s)}, ${bytes(mail.size)}`)),
      pair("Key", mail.key),
      pair("Job", mail.job_id),
      pair("Attempt", mail.attempt),
      pair("Message-ID", mail.message_id),
      pair("Session", el("a", { href: `#session/${mail.session}` }, `Session ${mail.session}`)),
      pair("Digest", el("code", {}, mail.digest))),
    attachments(mail),
  ].filter(Boolean);
}

function header(mail, wanted) {
  const found = mail.headers.filter(([name]) => name.toLowerCase() === wanted.toLowerCase());
  return found.map(([, value]) => value).join(", ");
}

function others({ mail }, all) {
  if (all.length < 2) return null;
  const links = all.filter((other) => other !== mail).slice(0, 20)
    .map((other) => el("li", {}, el("a", { href: `#mail/${other}` }, `mail ${other}`)));
  return el("div", { class: "note warn" },
    el("p", {}, `This mail was stored ${all.length} times. Its other copies:`), el("ul", { class: "inline" }, links));
}

function attachments({ mail, attachments: all }) {
  if (!all.length) return null;
  const link = ({ name, type, size }, part) =>
    el("li", {}, el("a", { class: "file", href: `/mails/${mail}/attachments/${part}`, download: name ?? "" },
      el("span", { class: "name" }, name ?? `attachment ${part + 1}`), ` ${type}, ${bytes(size)}`));
  return el("section", { class: "files", "aria-label": "Attachments" },
    el("h3", {}, many(all.length, "attachment")), el("ul", {}, all.map(link)));
}

function tabs(mail, current) {
  const names = Object.keys(TABS).filter((name) => hasTab(mail, name));
  const link = (name) => el("a",
    { href: `#mail/${mail.mail}/${name}`, "aria-current": name === current ? "page" : null }, TABS[name]);
  return el("nav", { class: "tabs", "aria-label": "Views of this mail" }, names.map(link));
}

async function bodyOf(mail, tab) {
  if (LATER[tab]) return LATER[tab](mail);
  if (tab === "headers") {
    return el("dl", { class: "headers" }, mail.headers.map(([name, value]) => pair(name, value || " ")));
  }
  if (tab === "html") {
    const note = "Shown without scripts, links, or anything from the network.";
    return [el("p", { class: "hint" }, note), mailFrame(mail.html)];
  }
  if (mail.text === null) return el("p", { class: "none" }, "This mail has no text part.");
  return el("pre", { tabindex: 0, "aria-label": "Text of the mail" }, mail.text);
}

async function sourceOf({ mail, size }) {
  const text = await ask(`/mails/${mail}/raw`);
  const cut = text.length > MOST_SOURCE ? "The beginning of it is shown. " : "";
  return [
    el("p", { class: "hint" }, cut,
      el("a", { href: `/mails/${mail}/raw`, download: `mail-${mail}.eml` }, `Save as mail-${mail}.eml`), `, ${bytes(size)}`),
    el("pre", { tabindex: 0, "aria-label": "Source of the mail" }, text.slice(0, MOST_SOURCE)),
  ];
}
