// Texts of the page in its language, one part at a time: `const text = await texts("live")`, then `text("link.live")`.
// The gateway serves each part of its files of languages as a module (gateway/crew/languages).

export const language = document.documentElement.lang;
const plurals = new Intl.PluralRules(language), numbers = new Intl.NumberFormat(language);

// `values` fills the placeholders in braces; its `count` chooses the plural form. Numbers get the language's separators.
export async function texts(part) {
  const { default: own } = await import(`/texts/${language}/${part}.js`);
  return (key, values = {}) => {
    const found = own[key] ?? key;
    const form = typeof found === "string" ? found : found[plurals.select(values.count)];
    return form.replace(/\{(\w+)\}/g, (whole, name) => {
      const value = values[name] ?? whole;
      return typeof value === "number" ? numbers.format(value) : value;
    });
  };
}
