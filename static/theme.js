// Sets the theme before the first paint; it is loaded without defer on purpose.
(function () {
  var choice = null;
  try { choice = localStorage.getItem("theme"); } catch (e) { /* storage is off: follow the system */ }
  var dark = choice === "dark" || (choice !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  var root = document.documentElement;
  root.classList.add("js", dark ? "dark" : "light");
  root.dataset.theme = choice || "system";
})();
