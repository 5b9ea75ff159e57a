// Light or dark, as Locust's switch says: it keeps its choice where this looks.

export function theme() {
  const chosen = localStorage.getItem("theme");
  if (chosen) return chosen === "dark" ? "dark" : "light";
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}
