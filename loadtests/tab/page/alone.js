// The tab as a page of its own: before the first load Locust shows no tabs.
import "./element.js";
import { theme } from "./theme.js";

const follow = () => { document.documentElement.dataset.theme = theme(); };
follow();
window.addEventListener("storage", follow);
