/** As in package.json, by `npm version`; a test holds the two together. */
export const VERSION = '0.1.0';
