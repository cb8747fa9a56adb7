// The runbooks in Debian's Chromium: every one can be read on a phone and on a desktop, in light and in dark
// mode, without JavaScript and without any other site.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { open, startBrowser, violations } from './support.js';

const url = process.env.PAGES_URL;
const list = `${url}runbooks`;

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

for (const width of [390, 1280]) {
  for (const scheme of ['light', 'dark']) {
    describe(`${width} pixels, ${scheme}`, () => {
      test('each runbook is on the list, fits, and leads back', async () => {
        const { page, problems, close } = await open(browser, url, { width, scheme });
        await page.goto(list);
        const links = page.locator('.runbook-list a');
        const names = await links.allInnerTexts();
        assert.ok(names.length > 20, `${names}`);
        for (const name of names) {
          await page.goto(`${list}/${name}`);
          assert.equal(await page.locator('h1').innerText(), name);
          const box = await page.locator('.runbook').boundingBox();
          assert.ok(box.x + box.width <= width, `${name}: ${box.x} + ${box.width}`);
          const wide = await page.locator('html').evaluate((part) => part.scrollWidth);
          assert.ok(wide <= width, `${name}: ${wide}`);
        }
        await page.getByRole('navigation').getByRole('link', { name: 'Runbooks' }).click();
        await page.waitForURL(list);
        assert.deepEqual(problems, []);
        await close();
      });

      test('a runbook leads to the one that it refers to', async () => {
        const { page, close } = await open(browser, url, { width, scheme });
        await page.goto(`${list}/AWSRootAccessKeyCreated`);
        await page.locator('.runbook a[href^="AWSRootAccessKeyActive"]').first().click();
        await page.waitForURL(/runbooks\/AWSRootAccessKeyActive/);
        assert.equal(await page.locator('h1').innerText(), 'AWSRootAccessKeyActive');
        await close();
      });

      test('axe-core finds nothing', async () => {
        const { page, close } = await open(browser, url, { width, scheme, scripts: true });
        for (const path of ['runbooks', 'runbooks/AWSRootAccessKeyActive', 'runbooks/AWSAccountUnreadable', 'runbooks/none']) {
          await page.goto(url + path);
          assert.deepEqual(await violations(page), [], path);
        }
        await close();
      });
    });
  }
}
