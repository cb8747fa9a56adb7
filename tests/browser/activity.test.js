// Who created the key and what else root did, over views that tests/tools/browser.rs fills and serves.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { open, startBrowser, violations } from './support.js';

const url = process.env.PAGES_URL;
const account = `${url}accounts/000000000012`;

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

/** Fails if one of these is wider than the window, or its content than itself. */
async function fits(page, selector, width) {
  const parts = await page.locator(selector).all();
  assert.ok(parts.length > 0, selector);
  for (const part of parts) {
    const box = await part.boundingBox();
    const text = await part.innerText();
    assert.ok(box.x >= 0 && box.x + box.width <= width, `${box.x} + ${box.width}: ${text}`);
  }
}

for (const width of [390, 1280]) {
  for (const scheme of ['light', 'dark']) {
    describe(`${width} pixels, ${scheme}`, () => {
      test('the banner says who created the key, and leads to all that root did', async () => {
        const { page, problems, close } = await open(browser, url, { width, scheme });
        const banner = page.locator('.verdict');
        assert.match(
          await banner.innerText(),
          /payments 000000000012\s+key AKIAIOSFODNN7EXAMPLE, assumed active until its status is known, created by root from 198\.51\.100\.7 \(console, MFA\) at 2027-01-15 08:00:00 UTC/,
        );
        await fits(page, '.verdict, .verdict li, .notices', width);
        assert.match(await page.locator('.notices').innerText(), /queue of events cannot be read/);
        await banner.getByRole('link', { name: 'payments' }).click();
        await page.waitForURL(account);
        const newest = page.getByRole('table', { name: 'Newest activity of the root user' });
        assert.equal(await newest.locator('tbody tr').count(), 10);
        const first = newest.locator('tbody tr').first();
        assert.match(await first.innerText(), /created an access key/);
        const link = first.getByRole('link');
        const target = await link.getAttribute('href');
        assert.match(target, /^https:\/\/us-east-1\.console\.aws\.amazon\.com\/cloudtrailv2\//);
        await page.locator('.earlier summary').click();
        const earlier = page.getByRole('table', { name: 'Earlier activity of the root user' });
        assert.equal(await earlier.locator('tbody tr').count(), 2);
        await fits(page, '.activity, .activity tbody td, .activity tbody th, .verdict', width);
        assert.deepEqual(problems, []);
        await close();
      });

      test('axe-core finds nothing', async () => {
        const { page, close } = await open(browser, url, { width, scheme, scripts: true });
        assert.deepEqual(await violations(page), []);
        await page.goto(account);
        await page.locator('.earlier summary').click();
        assert.deepEqual(await violations(page), []);
        const cut = await page.evaluate(() => {
          const parts = globalThis.document.querySelectorAll('html, .verdict, .activity tbody td, .activity tbody th');
          const isCut = (part) => part.scrollWidth > part.clientWidth;
          return [...parts].filter(isCut).map((part) => part.innerText);
        });
        assert.deepEqual(cut, []);
        await close();
      });
    });
  }
}
