// The console's own words beside the page's, which shoppers need not load.
import { addWords, language } from "../i18n.js";

addWords((await import(`../lang/console_${language}.js`)).default);
