// Opens a trace in Jaeger's page as a person would, and prints what stands there
// as one JSON object; the Rust test that starts it judges.
//
//   node trace_page.js URL CHROMIUM SCREENSHOT

const { chromium } = require('playwright-core');

async function main([url, executablePath, screenshot]) {
  const browser = await chromium.launch({
    executablePath,
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
    await page.goto(url);
    await page.locator('.span-row').first().waitFor({ timeout: 60_000 });
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
