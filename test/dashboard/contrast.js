// Runs in the page: an expression whose value is the visible texts that stand out too little, each with its contrast
// (WCAG 2).
;(() => {
  const LEAST = 4.5
  const numbers = color => color.match(/[\d.]+/g).map(Number)
  const backgroundOf = element => {
    for (let at = element; at !== null; at = at.parentElement) {
      const [red, green, blue, alpha = 1] = numbers(getComputedStyle(at).backgroundColor)
      if (alpha === 1) return [red, green, blue]
    }
    return [255, 255, 255]
  }
  const luminance = color => {
    const [red, green, blue] = color
      .map(value => value / 255)
      .map(value => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const contrastOf = element => {
    const [dark, bright] = [
      luminance(numbers(getComputedStyle(element).color).slice(0, 3)),
      luminance(backgroundOf(element))
    ].sort((a, b) => a - b)
    return (bright + 0.05) / (dark + 0.05)
  }
  const hasText = element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim() !== '')
  const texts = [...document.body.querySelectorAll('*')].filter(
    element => hasText(element) && element.checkVisibility()
  )
  const measured = texts.map(element => ({
    text: element.textContent.trim(),
    contrast: Math.round(contrastOf(element) * 100) / 100
  }))
  return { count: measured.length, low: measured.filter(({ contrast }) => contrast < LEAST) }
})()
