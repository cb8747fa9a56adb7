// The pages of the demo in Debian's Chromium: they lead a person to the account with the key and to the
// steps against it, without JavaScript, at every width, in light and in dark mode.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { open, startBrowser, startDemo, until, violations } from './support.js';

const WIDTHS = [360, 820, 1440];
const SCHEMES = ['light', 'dark'];

let demo;
let browser;

before(async () => {
  demo = await startDemo(300);
  browser = await startBrowser();
  // The demo creates a root key in the second account.
  await until(async () => {
    const answer = await fetch(`${demo.url}api/v1/accounts/000000000002`);
    return (await answer.json()).root.access_keys_active > 0;
  }, 'the root key of the demo');
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

const rows = (page) => page.locator('tbody tr');

async function states(page) {
  const all = await rows(page).all();
  return Promise.all(all.map((row) => row.locator('.badge').first().innerText()));
}

/** Fails if the page is wider than the window. */
async function fits(page, width) {
  const box = await page.locator('main').boundingBox();
  assert.ok(box.x >= 0 && box.x + box.width <= width, `${box.width} in ${width}`);
  for (const table of await page.locator('.accounts, .verdict, .tiles, .filter').all()) {
    const part = await table.boundingBox();
    assert.ok(part.x + part.width <= width, `${part.x} + ${part.width} in ${width}`);
  }
}

for (const width of WIDTHS) {
  for (const scheme of SCHEMES) {
    describe(`${width} pixels, ${scheme}, without JavaScript`, () => {
      test('the overview leads to the key and to the steps against it', async () => {
        const { page, problems, close } = await open(browser, demo.url, { width, scheme });
        await fits(page, width);
        assert.match(await page.locator('h1').innerText(), /active root access key/);
        const first = rows(page).first();
        assert.match(await first.innerText(), /Active root key/);
        await first.getByRole('link', { name: /Delete the key/ }).click();
        await page.waitForURL(/accounts\/\d{12}#next$/);
        await fits(page, width);
        const steps = await page.locator('#next details[open]').innerText();
        const id = /accounts\/(\d{12})/.exec(page.url())[1];
        assert.match(steps, new RegExp(`--target-principal ${id}`));
        assert.match(steps, /root-task\/IAMDeleteRootUserCredentials/);
        assert.match(steps, /aws iam delete-access-key --access-key-id/);
        await page.getByRole('link', { name: 'AWS root exporter' }).click();
        await page.waitForURL(demo.url);
        assert.deepEqual(problems, []);
        await close();
      });
    });
  }
}

describe('the list', () => {
  test('has the worst first, and a filter shows as many as its tile counts', async () => {
    const { page, problems, close } = await open(browser, demo.url, { width: 1440 });
    const order = ['Active root key', 'Unreadable', 'No root MFA', 'Inactive root key'];
    const ranks = (await states(page)).map((state) => (order.indexOf(state) + 9) % 9);
    const worst = ranks.filter((rank) => rank < 4);
    assert.deepEqual(worst, [...worst].sort());
    const tile = page.locator('.tile', { hasText: 'No root MFA' });
    const count = Number(await tile.locator('strong').innerText());
    assert.ok(count > 0);
    await tile.click();
    await page.waitForURL(/state=no-mfa/);
    assert.equal(await rows(page).count(), count);
    assert.deepEqual(problems, []);
    await close();
  });

  test('can be searched by text, with the keyboard alone', async () => {
    const { page, problems, close } = await open(browser, demo.url, { width: 1440 });
    await page.getByLabel('Name, id or label').focus();
    await page.keyboard.type('000000000002');
    await page.keyboard.press('Enter');
    await page.waitForURL(/q=000000000002/);
    assert.equal(await rows(page).count(), 1);
    await page.getByLabel('Name, id or label').fill('<script>"no one"\\');
    await page.getByRole('button', { name: 'Show' }).click();
    await page.waitForURL(/q=%3Cscript/);
    assert.equal(await rows(page).count(), 0);
    assert.equal(await page.getByLabel('Name, id or label').inputValue(), '<script>"no one"\\');
    assert.deepEqual(problems, []);
    await close();
  });

  test('is sorted by its column heads and has pages of 100', async () => {
    const { page, problems, close } = await open(browser, demo.url, { width: 1440 });
    await page.getByRole('columnheader', { name: 'Account' }).getByRole('link').click();
    await page.waitForURL(/sort=name/);
    assert.equal(await page.locator('th[aria-sort=ascending]').innerText(), 'Account');
    const names = await page.locator('th.account a').allInnerTexts();
    assert.equal(names.length, 100);
    assert.deepEqual(names, [...names].sort());
    await page.getByRole('link', { name: 'Next page' }).click();
    await page.waitForURL(/sort=name&page=2/);
    assert.match(await page.locator('h2').first().innerText(), /101 to 200 of 300/);
    assert.deepEqual(problems, []);
    await close();
  });
});

describe('axe-core finds nothing', () => {
  for (const scheme of SCHEMES) {
    for (const width of [WIDTHS[0], WIDTHS[2]]) {
      for (const path of ['', 'accounts/000000000002', 'accounts/999999999999']) {
        test(`on /${path}, ${width} pixels, ${scheme}`, async () => {
          const { page, close } = await open(browser, demo.url, { width, scheme, scripts: true });
          await page.goto(demo.url + path);
          assert.deepEqual(await violations(page), []);
          await close();
        });
      }
    }
  }
});
