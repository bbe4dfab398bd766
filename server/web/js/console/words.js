// The console's own words beside the page's, which shoppers need not load.
import { addWords } from "../i18n.js";
import en from "../lang/console_en.js";
import ko from "../lang/console_ko.js";

addWords({ en, ko });
