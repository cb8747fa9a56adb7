// The overview and the accounts in Debian's Chromium, over views that tests/tools/browser.rs fills and
// serves: they lead a person to the account with the key and to the steps against it, without JavaScript,
// at every width, in light and in dark mode.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { open, startBrowser, until, violations } from './support.js';

const WIDTHS = [390, 820, 1280];
const SCHEMES = ['light', 'dark'];

const url = process.env.PAGES_URL;

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
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
    // The filters are folded on a phone.
    if (!part) continue;
    assert.ok(part.x + part.width <= width, `${part.x} + ${part.width} in ${width}`);
  }
}

for (const width of WIDTHS) {
  for (const scheme of SCHEMES) {
    describe(`${width} pixels, ${scheme}, without JavaScript`, () => {
      test('the overview leads to the key and to the steps against it', async () => {
        const { page, problems, close } = await open(browser, url, { width, scheme });
        await fits(page, width);
        assert.match(await page.locator('h1').innerText(), /root access key/);
        const banner = page.locator('.verdict');
        assert.match(await banner.innerText(), /000000000002\s+key AKIA/);
        await banner.getByRole('link', { name: /What to do about 000000000002/ }).click();
        await page.waitForURL(/accounts\/000000000002#next$/);
        await page.goBack();
        await page.waitForURL(url);
        const first = rows(page).first();
        assert.match(await first.innerText(), /Active root key/);
        await first.getByRole('link', { name: /Delete the key/ }).click();
        await page.waitForURL(/accounts\/\d{12}#next$/);
        await fits(page, width);
        const id = /accounts\/(\d{12})/.exec(page.url())[1];
        const first_steps = await page.locator('#next details[open]').innerText();
        assert.match(first_steps, /aws cloudtrail lookup-events/);
        const cli = page.locator('#next details', { hasText: 'with the AWS CLI' });
        await cli.locator('summary').click();
        const steps = await cli.innerText();
        assert.match(steps, new RegExp(`--target-principal ${id}`));
        assert.match(steps, /root-task\/IAMDeleteRootUserCredentials/);
        assert.match(steps, /aws iam delete-access-key --access-key-id/);
        await fits(page, width);
        for (const part of await page.locator('pre, td, th.account').all()) {
          if (!(await part.isVisible())) continue;
          const box = await part.boundingBox();
          assert.ok(box.x >= 0 && box.x + box.width <= width, await part.innerText());
        }
        await page.getByRole('link', { name: 'AWS root exporter' }).click();
        await page.waitForURL(url);
        assert.deepEqual(problems, []);
        await close();
      });
    });
  }
}

describe('the list', () => {
  test('has the worst first, and a filter shows as many as its tile counts', async () => {
    const { page, problems, close } = await open(browser, url, { width: 1440 });
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
    const { page, problems, close } = await open(browser, url, { width: 1440 });
    await page.getByLabel('Name, account id, key id or label').focus();
    await page.keyboard.type('000000000002');
    await page.keyboard.press('Enter');
    await page.waitForURL(/q=000000000002/);
    assert.equal(await rows(page).count(), 1);
    await page.getByLabel('Name, account id, key id or label').fill('<script>"no one"\\');
    await page.getByRole('button', { name: 'Show' }).click();
    await page.waitForURL(/q=%3Cscript/);
    assert.equal(await rows(page).count(), 0);
    assert.equal(await page.getByLabel('Name, account id, key id or label').inputValue(), '<script>"no one"\\');
    assert.deepEqual(problems, []);
    await close();
  });

  test('is sorted by its column heads and has pages of 100', async () => {
    const { page, problems, close } = await open(browser, url, { width: 1440 });
    await page.getByRole('columnheader', { name: 'Account' }).getByRole('link').click();
    await page.waitForURL(/sort=name/);
    assert.equal(await page.locator('th[aria-sort=ascending]').innerText(), 'Account');
    const names = await page.locator('th.account > a:not(.chip)').allInnerTexts();
    assert.equal(names.length, 100);
    assert.deepEqual(names, [...names].sort());
    await page.getByRole('link', { name: 'Next page' }).first().click();
    await page.waitForURL(/sort=name&page=2/);
    assert.match(await page.locator('h2#accounts').innerText(), /101 to 200 of 250/);
    assert.deepEqual(problems, []);
    await close();
  });
});

describe('on a phone', () => {
  const width = 390;

  test('the account with the key is on the first screen, and the filters are folded', async () => {
    const { page, problems, close } = await open(browser, url, { width });
    await page.setViewportSize({ width, height: 844 });
    const link = page.locator('.named').getByRole('link', { name: /What to do about 000000000002/ });
    const box = await link.boundingBox();
    assert.ok(box.y + box.height < 844, `${box.y}`);
    assert.equal(await page.locator('form.filter').isVisible(), false);
    await page.getByLabel('Search and filter').check();
    assert.equal(await page.locator('form.filter').isVisible(), true);
    await page.getByLabel('Name, account id, key id or label').fill('0000-0000-0002');
    await page.getByRole('button', { name: 'Show' }).click();
    await page.waitForURL(/q=0000-0000-0002/);
    assert.equal(await rows(page).count(), 1);
    assert.deepEqual(problems, []);
    await close();
  });
});

describe('a page that is left open', () => {
  test('reloads itself, with the filter and the place on the page', async () => {
    const { page, close } = await open(browser, `${url}?state=fine`, { width: 1280 });
    let loads = 0;
    page.on('load', () => { loads += 1; });
    await page.mouse.wheel(0, 700);
    await until(async () => (await page.locator('h1').boundingBox()).y < 0, 'the page scrolls');
    await until(() => loads > 0, 'the page reloads');
    assert.match(page.url(), /state=fine/);
    await until(async () => (await page.locator('h1').boundingBox()).y < 0, 'the place is kept');
    await close();
  });

  test('says that it is old and loses its colours where it could not reload', async () => {
    const { page, close } = await open(browser, `${url}?reload=off`, { width: 390, scripts: true });
    const old = page.locator('.old');
    assert.equal(await old.isVisible(), false);
    // An hour later, by the clock of the animations.
    await page.evaluate(() => {
      for (const animation of globalThis.document.getAnimations()) animation.currentTime = 3_600_000;
    });
    assert.equal(await old.isVisible(), true);
    const filter = (element) => globalThis.getComputedStyle(element).filter;
    assert.equal(await page.locator('.tiles').evaluate(filter), 'grayscale(1)');
    assert.equal(await page.locator('.verdict').evaluate(filter), 'grayscale(1)');
    assert.deepEqual(await violations(page), []);
    await close();
  });
});

describe('axe-core finds nothing', () => {
  for (const scheme of SCHEMES) {
    for (const width of [WIDTHS[0], WIDTHS[2]]) {
      for (const path of ['', 'accounts/000000000002', 'accounts/999999999999', '?state=wrong', '?q=AKIAIOSFODNN7EXAMPLE']) {
        test(`on /${path}, ${width} pixels, ${scheme}`, async () => {
          const { page, close } = await open(browser, url, { width, scheme, scripts: true });
          await page.goto(url + path);
          assert.deepEqual(await violations(page), []);
          await close();
        });
      }
    }
  }
});
