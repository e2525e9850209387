// Opens a trace in Jaeger's page as a person would, and prints what stands there
// as one JSON object; the Rust test that starts it judges.
//
//   node trace_page.js URL CHROMIUM SCREENSHOT SPAN…
//
// It reads the page once each span of these names stands there.

const { chromium } = require('playwright-core');

// Whatever takes longer has hung: a browser that is read from a cold disk by a
// busy machine takes its time.
const LONG_MS = 180_000;

async function main([url, executablePath, screenshot, ...names]) {
  const browser = await chromium.launch({
    executablePath,
    timeout: LONG_MS,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1600, height: 1130 } });
    page.setDefaultTimeout(LONG_MS);
    await page.goto(url);
    for (const name of names) {
      await page.locator('.span-row', { hasText: name }).first().waitFor();
    }
    const spans = await page.locator('.span-row').evaluateAll((all) =>
      all.map((row) => ({
        text: row.innerText.replace(/\s+/g, ' ').trim(),
        hasError: row.querySelector('.SpanBarRow--errorIcon, [class*=errorIcon]') !== null,
      })),
    );
    await page.screenshot({ path: screenshot });
    process.stdout.write(JSON.stringify({ title: await page.title(), spans }));
  } finally {
    await browser.close();
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
