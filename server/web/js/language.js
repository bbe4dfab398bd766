// Which language the page speaks: the one that the reader chose, else the browser's first that it has. Its words are
// sent for at once, and those of no other.
import { get } from "./store.js";

// In its own words.
export const LANGUAGES = { en: "English", ko: "한국어" };

function preferred() {
	const chosen = get("language");
	if (chosen in LANGUAGES)
		return chosen;
	for (const name of navigator.languages || [navigator.language])
		if (name.slice(0, 2) in LANGUAGES)
			return name.slice(0, 2);
	return "en";
}

export const language = preferred();
export const dictionary = import(`./lang/${language}.js`);
dictionary.catch(() => {}); // i18n.js waits for it, and fails with it
