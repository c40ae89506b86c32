/* The notice rule, checked as one types: what each contract makes of the window, before it is announced. */
const form = document.querySelector("form[data-check]");
const place = document.getElementById("check");
const button = form.querySelector("button");
const seen = form.querySelector('input[name="seen"]');
const WAIT_MS = 300;
let timer = 0;
let asked = 0;

function asThough() {
  const fields = new URLSearchParams(new FormData(form));
  for (const name of ["csrf", "once", "seen"]) fields.delete(name);
  return fields;
}

async function check() {
  const mine = ++asked;
  try {
    const answer = await fetch(`/maintenance/check?${asThough()}&lang=${document.documentElement.lang}`, { credentials: "same-origin" });
    if (!answer.ok) return;
    const html = await answer.text();
    if (mine !== asked) return; // a later one is under way
    if (place.innerHTML.trim() !== html.trim()) place.innerHTML = html;
    const said = place.querySelector("[data-seen]");
    const grave = said?.classList.contains("grave") ?? false;
    seen.value = said?.dataset.seen ?? "";
    button.textContent = grave ? button.dataset.grave : button.dataset.label;
    button.classList.toggle("grave", grave);
    button.classList.toggle("main", !grave);
  } catch {
    seen.value = ""; // not checked: the server shows it before it is announced
  }
}

function later() {
  seen.value = "";
  clearTimeout(timer);
  timer = setTimeout(check, WAIT_MS);
}

form.addEventListener("input", later);
form.addEventListener("change", later);
check();
