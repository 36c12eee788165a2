package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// chromium is one headless browser for all journeys; each gets a context of
// its own, with its own cookies.
var chromium = sync.OnceValues(func() (context.Context, error) {
	path := os.Getenv("CHROMIUM")
	if path == "" {
		var err error
		if path, err = exec.LookPath("chromium"); err != nil {
			return nil, err
		}
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.WindowSize(1440, 900), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	allocator, _ := chromedp.NewExecAllocator(context.Background(), options...)
	browser, _ := chromedp.NewContext(allocator)
	return browser, chromedp.Do(browser)
})

// person is somebody in front of a browser window.
type person struct {
	t    *testing.T
	ctx  context.Context
	base string
}

// newPerson opens a window. What its pages complain about fails the test.
func newPerson(t *testing.T, base string) *person {
	t.Helper()
	browser, err := chromium()
	if err != nil {
		t.Fatalf("journeys need Chromium; install it (apt-get install chromium) or name it in CHROMIUM: %v", err)
	}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	p := &person{t, ctx, base}
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.IsException() || m.Type == "error" && m.Source != "network" {
				t.Errorf("the console of %s says: %s", base, m)
			}
		}
	}()
	return p
}

func (p *person) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.picture("failed")
		p.t.Fatalf("at %s: %v", p.where(), err)
	}
}

func (p *person) where() string {
	url, _ := chromedp.Run(p.ctx, chromedp.Location())
	return url
}

// picture writes what is seen to REPRISE_SCREENSHOTS, if that is set.
func (p *person) picture(name string) {
	dir := os.Getenv("REPRISE_SCREENSHOTS")
	if dir == "" {
		return
	}
	if png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100)); err == nil {
		_ = os.WriteFile(filepath.Join(dir, strings.ReplaceAll(p.t.Name(), "/", "-")+"-"+name+".png"), png, 0o600)
	}
}

// open goes to a page, also while the redirect of a form is still on its way,
// over which a plain navigation stumbles.
func (p *person) open(path string) {
	p.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = p.base + path
	}
	if !strings.HasPrefix(p.where(), "http") {
		p.do(chromedp.Navigate(path), chromedp.WaitReady(chromedp.CSS("body")))
		return
	}
	eval[chromedp.Void](p, "window.leaving = true; location.assign("+strconv.Quote(path)+")")
	there := p.poll(func() bool {
		return eval[bool](p, `(() => {
			if (window.leaving || document.readyState !== 'complete') return false
			if (location.href === `+strconv.Quote(path)+`) return true
			window.leaving = true
			location.assign(`+strconv.Quote(path)+`)
			return false
		})()`)
	})
	if !there {
		p.t.Fatalf("%s did not open; this is %s", path, p.where())
	}
}

func (p *person) fill(selector, text string) {
	p.t.Helper()
	field := chromedp.CSS(selector)
	p.do(chromedp.WaitVisible(field), chromedp.Clear(field), chromedp.SendKeys(field, text))
}

// press clicks what a person would name by its words.
func (p *person) press(words string) {
	p.t.Helper()
	p.clickOne("something that says "+strconv.Quote(words), `[...document.querySelectorAll('button, a, summary')].filter(e => e.innerText.trim() === `+strconv.Quote(words)+`)`)
}

// clickCSS clicks the first that a selector finds.
func (p *person) clickCSS(selector string) {
	p.t.Helper()
	p.clickOne(selector, "[...document.querySelectorAll("+strconv.Quote(selector)+")]")
}

// clickOne clicks the first element of a list that is visible and not covered.
// It looks and clicks in one go, for pages replace parts of themselves, and by
// script, for the browser may never say that the mouse has clicked if the page
// was left for it.
func (p *person) clickOne(what, list string) {
	p.t.Helper()
	clicked := p.poll(func() bool {
		return eval[bool](p, `(() => {
			for (const e of `+list+`.filter(e => e.checkVisibility())) {
				e.scrollIntoView({block: 'center'})
				const box = e.getBoundingClientRect()
				const hit = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)
				if (!hit || !e.contains(hit) && !hit.contains(e)) continue
				e.click()
				return true
			}
			return false
		})()`)
	})
	if !clicked {
		p.picture("failed")
		p.t.Fatalf("%s has not %s to click; it says:\n%s", p.where(), what, p.text())
	}
}

// text is what the page says.
func (p *person) text() string {
	p.t.Helper()
	return eval[string](p, "document.body?.innerText ?? ''")
}

// sees waits until the page says something.
func (p *person) sees(words string) {
	p.t.Helper()
	if !p.poll(func() bool { return strings.Contains(p.text(), words) }) {
		p.picture("failed")
		p.t.Fatalf("%s does not say %q; it says:\n%s", p.where(), words, p.text())
	}
}

// seesAfterReload opens the page again until it says something.
func (p *person) seesAfterReload(words string) {
	p.t.Helper()
	if !p.poll(func() bool {
		if strings.Contains(p.text(), words) {
			return true
		}
		p.do(chromedp.Reload(), chromedp.WaitReady(chromedp.CSS("body")))
		return false
	}) {
		p.picture("failed")
		p.t.Fatalf("%s never said %q; it says:\n%s", p.where(), words, p.text())
	}
}

func (p *person) poll(ok func() bool) bool {
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			return false
		}
	}
	return true
}

// eval runs a script and returns its value. A page that leaves meanwhile is
// asked again as the page that it became.
func eval[T any](p *person, script string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 30*time.Second)
	defer cancel()
	for {
		out, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
		switch {
		case err == nil:
			return out
		case ctx.Err() == nil && (strings.Contains(err.Error(), "navigated") || strings.Contains(err.Error(), "context")):
			continue
		}
		p.t.Fatalf("at %s: %v", p.where(), err)
	}
}
