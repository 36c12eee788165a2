// Colours are named by what they mean; their values, light and dark, are the
// variables of views/style/tokens.css. The palette of Tailwind itself is out of
// reach on purpose.
const meaning = (name) => ({ DEFAULT: `var(--${name})`, soft: `var(--${name}-soft)` });

/** @type {import('tailwindcss').Config} */
module.exports = {
  content: ["./views/*.templ", "./views/*.go", "!./views/*_templ.go", "!./views/*_test.go"],
  darkMode: "class",
  theme: {
    colors: {
      transparent: "transparent",
      current: "currentColor",
      canvas: "var(--canvas)",
      surface: { DEFAULT: "var(--surface)", sunken: "var(--surface-sunken)", raised: "var(--surface-raised)" },
      line: { DEFAULT: "var(--line)", strong: "var(--line-strong)" },
      ink: "var(--ink)",
      muted: "var(--muted)",
      faint: "var(--faint)",
      accent: { ...meaning("accent"), solid: "var(--accent-solid)", ink: "var(--accent-ink)" },
      good: meaning("good"),
      warn: meaning("warn"),
      bad: meaning("bad"),
    },
    fontFamily: { sans: "var(--font-text)", mono: "var(--font-code)" },
    fontSize: {
      "2xs": ["11px", "16px"],
      xs: ["12px", "16px"],
      sm: ["13px", "20px"],
      base: ["14px", "20px"],
      lg: ["16px", "24px"],
      xl: ["20px", "28px"],
    },
  },
};
