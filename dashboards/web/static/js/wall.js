/* A wall: everything as large as it fits without scrolling, the screen kept awake, nobody's hand on it. */
import { onPlaced } from "./live.js";

const SMALLEST = 9; // pixels of the root's font
const LARGEST = 44;
const root = document.documentElement;
let asked = 0;

const fits = (size) => {
  root.style.fontSize = `${size}px`;
  return root.scrollHeight <= window.innerHeight && root.scrollWidth <= window.innerWidth;
};

/* The largest size that fits, by halves; where not even the smallest does, the smallest readable one. */
function fit() {
  asked = 0;
  const held = parseFloat(root.style.fontSize) || 16;
  if (fits(held) && !fits(held + 0.5)) { fits(held); return; }
  let low = SMALLEST;
  let high = LARGEST;
  while (high - low > 0.5) {
    const middle = (low + high) / 2;
    if (fits(middle)) low = middle; else high = middle;
  }
  fits(low);
}

const soon = () => { if (!asked) asked = requestAnimationFrame(fit); };

async function awake() {
  if (document.visibilityState !== "visible" || !navigator.wakeLock) return;
  try { await navigator.wakeLock.request("screen"); } catch { /* a battery that is low, or no permission: then the screen's own settings count */ }
}

onPlaced(soon);
window.addEventListener("resize", soon);
document.addEventListener("visibilitychange", awake);
document.fonts?.ready.then(soon);
awake();
soon();
