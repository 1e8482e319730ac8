// The sign-up page: takes the visitor's time zone from the browser, and says in one line when the
// email comes. Without scripts the line says what is filled in, and the fields are under it.
"use strict";
const guess = Intl.DateTimeFormat().resolvedOptions().timeZone;
const fold = document.querySelector("details.when");
const line = document.getElementById("when");
const field = (name) => document.getElementById(name);

function say() {
  const often = field("cadence").selectedOptions[0];
  const day = "day" in often.dataset ? ` on ${field("day").value}` : "";
  const zone = field("timezone").value;
  const own = zone === guess ? ", your time" : "";
  line.textContent = `${often.textContent.trim()}${day} at ${field("at").value}${own} (${zone})`;
}

if (fold) {
  const zone = field("timezone");
  const known = [...field("zones").options].some((option) => option.value === guess);
  if (known && "guess" in fold.dataset) zone.value = guess;
  fold.addEventListener("input", say);
  say();
}
