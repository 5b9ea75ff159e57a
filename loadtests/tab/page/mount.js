// Fills the Delivery tab of Locust's own page. React owns that page: this only adds one element behind its own
// and puts it back whenever React has drawn anew.
import "./element.js";

const TITLE = "Delivery";
const tab = document.createElement("mailstorm-delivery");
const way = document.createElement("p");
const link = document.createElement("a");
link.href = "./delivery/";
link.textContent = "Delivery: what becomes of the mails, live, and buttons to break things";
link.style.color = "inherit";
way.append(link);
way.style.cssText = "text-align: center; margin: 1rem";

function wanted() {
  const tabs = [...document.querySelectorAll('#root [role="tab"]')];
  if (!tabs.length) return way;
  const open = tabs.find((each) => each.getAttribute("aria-selected") === "true");
  return open?.textContent === TITLE ? tab : null;
}

function place() {
  const main = document.querySelector("#root main");
  const shown = main && wanted();
  for (const each of [tab, way]) if (each !== shown) each.remove();
  if (shown && main.lastElementChild !== shown) main.append(shown);
}

new MutationObserver(place).observe(document.getElementById("root"), {
  childList: true,
  subtree: true,
  attributes: true,
  attributeFilter: ["aria-selected"],
});
place();
