// What makes the drawing answer: pointing tells a frame's share, a click zooms, the field searches.
const flame = document.getElementById("flame");
const total = Number(flame.dataset.total);
const width = Number(flame.dataset.width);
const character = Number(flame.dataset.character);
const details = document.getElementById("details");
const matched = document.getElementById("matched");
const reset = document.getElementById("reset");
const hint = details.textContent;

const frames = Array.from(document.querySelectorAll(".frame"), (element) => ({
    element,
    rectangle: element.querySelector("rect"),
    text: element.querySelector("text"),
    name: element.dataset.name,
    start: Number(element.dataset.start),
    samples: Number(element.dataset.samples),
    row: Number(element.dataset.row),
}));

function percent(samples) {
    return (100 * samples / total).toFixed(2) + " %";
}

function place(frame, x, wide) {
    frame.rectangle.setAttribute("x", x);
    frame.rectangle.setAttribute("width", wide);
    frame.text.setAttribute("x", x + 3);
    const room = Math.floor((wide - 6) / character);
    const name = frame.name;
    frame.text.textContent = name.length <= room ? name : room > 3 ? name.slice(0, room - 1) + "…" : "";
}

// Shows `focus` and what stands on it over the whole width; what it stands on stays below, faded.
function zoom(focus) {
    const end = focus.start + focus.samples;
    const scale = width / focus.samples;
    for (const frame of frames) {
        const isUnder = frame.row < focus.row && frame.start <= focus.start && end <= frame.start + frame.samples;
        const isOver = frame.row >= focus.row && focus.start <= frame.start && frame.start + frame.samples <= end;
        frame.element.classList.toggle("gone", !isUnder && !isOver);
        frame.element.classList.toggle("passed", isUnder);
        if (isUnder) place(frame, 0, width);
        if (isOver) place(frame, (frame.start - focus.start) * scale, frame.samples * scale);
    }
    reset.classList.toggle("gone", focus.row === 0);
}

// Marks the frames whose names match and says their share; a frame that stands on another that matches counts once.
function search(pattern) {
    let expression = null;
    try {
        expression = pattern ? new RegExp(pattern, "i") : null;
    } catch (error) {
        matched.textContent = "not a regular expression";
        return;
    }
    let samples = 0;
    const spans = [];
    for (const frame of frames) {
        const found = expression !== null && expression.test(frame.name);
        frame.element.classList.toggle("found", found);
        if (!found) continue;
        if (!spans.some((span) => span.start <= frame.start && frame.start < span.end)) {
            samples += frame.samples;
            spans.push({start: frame.start, end: frame.start + frame.samples});
        }
    }
    matched.textContent = expression ? "found: " + percent(samples) : "";
}

for (const frame of frames) {
    frame.element.addEventListener("click", () => zoom(frame));
    frame.element.addEventListener("mouseover", () => {
        details.textContent = frame.name + ": " + frame.samples + " samples, " + percent(frame.samples);
    });
    frame.element.addEventListener("mouseout", () => { details.textContent = hint; });
}
reset.addEventListener("click", () => zoom(frames[0]));
document.getElementById("search").addEventListener("input", (event) => search(event.target.value));

// The graph grows upwards: what is read first is at the end of the page.
window.scrollTo(0, document.documentElement.scrollHeight || Number(flame.getAttribute("height")));
