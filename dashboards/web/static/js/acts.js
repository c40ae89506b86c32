/* Forms that do something: sent without leaving the page, once however often one clicks, and nothing typed is lost. */
import { language, say } from "./core.js";

const token = document.querySelector('meta[name="csrf"]')?.content ?? "";
const LOST = {
  es: "Sin conexión con Sereno: no se sabe si llegó. Lo escrito sigue aquí; envíelo de nuevo, se hará una sola vez.",
  en: "No connection to Sereno: nobody knows whether it got through. What you wrote is still here; send it again, it is done once.",
};
const STRANGE = {
  es: "Su sesión cambió o no permite esto: cargue la página de nuevo. Lo escrito sigue aquí.",
  en: "Your session has changed, or does not allow this: load the page again. What you wrote is still here.",
};
const PATIENCE_MS = 15_000;
const fresh = () => (crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`);

/* -- what is typed outlives a reload, a restart of the server and a log-in -------------------------------------------- */

const draftKey = (form) => `draft:${form.getAttribute("action")}`;
const fieldsOf = (form) => [...form.elements].filter((each) => each.name && each.type !== "hidden" && each.type !== "submit");

function keepDraft(form) {
  const kept = fieldsOf(form).map((each) => {
    if (each.type === "checkbox" || each.type === "radio") return [each.name, each.value, each.checked];
    return [each.name, null, each.multiple ? [...each.selectedOptions].map((one) => one.value) : each.value];
  });
  const said = kept.some(([, , value]) => value === true || (Array.isArray(value) ? value.length : typeof value === "string" && value !== ""));
  if (said) sessionStorage.setItem(draftKey(form), JSON.stringify(kept)); else sessionStorage.removeItem(draftKey(form));
}

function restoreDraft(form) {
  const kept = JSON.parse(sessionStorage.getItem(draftKey(form)) ?? "null");
  if (!Array.isArray(kept)) return;
  let any = false;
  for (const [name, value, state] of kept) {
    const field = fieldsOf(form).find((each) => each.name === name && (value === null || each.value === value));
    if (!field) continue;
    if (typeof state === "boolean") field.checked = state;
    else if (Array.isArray(state)) for (const one of field.options ?? []) one.selected = state.includes(one.value);
    else if (!field.value || field.tagName === "SELECT") { field.value = state; any ||= state !== ""; }
  }
  const deed = form.closest("details");
  if (any && deed && !deed.hidden) deed.open = true;
}

const forget = (form) => sessionStorage.removeItem(draftKey(form));

/* -- sending ---------------------------------------------------------------------------------------------------------- */

function hidden(form, name, value) {
  let field = form.querySelector(`input[type="hidden"][name="${name}"]`);
  if (!field) {
    field = document.createElement("input");
    field.type = "hidden";
    field.name = name;
    form.append(field);
  }
  if (value !== undefined) field.value = value;
  return field;
}

function clear(form) {
  const refused = form.querySelector(".refused");
  if (refused) { refused.hidden = true; refused.textContent = ""; }
  for (const field of form.querySelectorAll('[aria-invalid="true"]')) field.removeAttribute("aria-invalid");
  for (const each of form.querySelectorAll(".more .bad")) each.remove();
}

function show(form, answer) {
  const refused = form.querySelector(".refused");
  if (refused) { refused.textContent = answer.text; refused.hidden = false; }
  for (const [name, text] of Object.entries(answer.fields ?? {})) {
    const field = form.elements.namedItem(name);
    field?.setAttribute?.("aria-invalid", "true");
    const more = form.querySelector(`.more[data-field="${CSS.escape(name)}"]`);
    if (more) {
      const word = document.createElement("span");
      word.className = "bad";
      word.textContent = `${text} `;
      more.prepend(word);
    }
  }
  form.querySelector('[aria-invalid="true"]')?.focus();
}

async function send(form) {
  if (form.dataset.sending) return;
  form.dataset.sending = "1";
  form.setAttribute("aria-busy", "true");
  clear(form);
  const once = hidden(form, "once");
  if (!once.value) once.value = fresh();
  try {
    const body = new URLSearchParams(new FormData(form));
    body.delete("csrf");
    const said = await fetch(form.action, {
      method: "POST", body, credentials: "same-origin", headers: { accept: "application/json", "x-csrf": token },
      signal: AbortSignal.timeout(PATIENCE_MS), // a network that swallows what is sent is said, as one that refuses
    });
    if (said.status === 401) { location.assign(`/login?next=${encodeURIComponent(location.pathname)}`); return; }
    if (said.status === 403) { say(STRANGE[language] ?? STRANGE.es, true); return; }
    const answer = await said.json();
    settle(form, once, { ok: answer.ok ?? said.ok, text: answer.text ?? answer.error ?? String(said.status), fields: answer.fields, next: answer.next, status: said.status });
  } catch {
    say(LOST[language] ?? LOST.es, true); // the same `once` stays: sent again it is the same order
  } finally {
    delete form.dataset.sending;
    form.removeAttribute("aria-busy");
  }
}

function settle(form, once, answer) {
  if (answer.ok || answer.status === 202) {
    forget(form);
    if (answer.next) { location.assign(answer.next); return; }
    form.reset();
    once.value = fresh();
    const deed = form.closest("details.deed");
    if (deed && deed.dataset.deed !== "note") deed.open = false;
    say(answer.text);
    form.dispatchEvent(new CustomEvent("done", { bubbles: true }));
    return;
  }
  if (answer.status !== 503) once.value = fresh();
  show(form, answer);
  say(answer.text, true);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-act]")) return;
  event.preventDefault();
  send(form);
});
document.addEventListener("input", (event) => {
  const form = event.target.closest?.("form[data-act]");
  if (form) keepDraft(form);
});
for (const form of document.querySelectorAll("form[data-act]")) restoreDraft(form);

/* -- what may be done follows the incident; a form that somebody writes in is never taken away ------------------------ */

const offered = document.getElementById("offered");

function follow() {
  const now = offered.querySelector("[data-verbs]");
  if (!now) return;
  const verbs = new Set(now.dataset.verbs.split(" "));
  for (const form of document.querySelectorAll("form[data-verb]")) {
    const may = verbs.has(form.dataset.verb);
    const deed = form.closest("details.deed") ?? form;
    const written = deed !== form && !may && (sessionStorage.getItem(draftKey(form)) !== null || form.contains(document.activeElement));
    deed.hidden = !may && !written;
    const gone = form.querySelector(".gone");
    if (gone) gone.hidden = !written;
    const button = form.querySelector("button");
    if (button) button.disabled = written;
  }
}

if (offered) {
  new MutationObserver(follow).observe(offered, { childList: true, subtree: true, attributes: true });
  follow();
}

/* -- what of the story is shown: at once, and in the address ----------------------------------------------------------- */

const history_ = document.querySelector("[data-history]");
history_?.addEventListener("click", (event) => {
  const link = event.target.closest("[data-hide]");
  if (!link) return;
  event.preventDefault();
  const name = `hide-${link.dataset.hide}`;
  const off = history_.classList.toggle(name);
  link.classList.toggle("off", off);
  link.setAttribute("aria-checked", String(!off));
  const address = new URL(location.href);
  const hide = [...history_.classList].filter((each) => each.startsWith("hide-")).map((each) => each.slice(5));
  if (hide.length) address.searchParams.set("hide", hide.join(",")); else address.searchParams.delete("hide");
  history.replaceState(null, "", address);
});
history_?.addEventListener("keydown", (event) => {
  if (event.key === " " && event.target.matches("[data-hide]")) { event.preventDefault(); event.target.click(); }
});
