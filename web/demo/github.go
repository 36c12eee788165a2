package demo

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

const githubOrg = "northwind-labs"

func (f *faker) githubEvent(name string, body object) Event {
	b := body.encode("")
	return github.event(map[string]string{
		"Accept":              "*/*",
		"Content-Type":        "application/json",
		"User-Agent":          "GitHub-Hookshot/" + f.hex(7),
		"X-GitHub-Delivery":   f.uuid(),
		"X-GitHub-Event":      name,
		"X-GitHub-Hook-ID":    "498211734",
		"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(github.hmac(b)),
	}, b)
}

func githubPush(f *faker) Event {
	author, repo, branch := f.person(), f.repository(), pick(f, "main", "main", "release/2.4", "feature/refunds")
	before, at := f.hex(40), f.ago(10)
	var commits []object
	for range 1 + f.IntN(3) {
		id := f.hex(40)
		commits = append(commits, object{
			{"id", id},
			{"tree_id", f.hex(40)},
			{"distinct", true},
			{"message", pick(f, "Retry the ledger export when the bank answers 502", "Fix rounding of partial refunds",
				"Bump the base image", "Show the customer's time zone on invoices 🕑", "Drop the unused legacy index",
				"Make the nightly job idempotent\n\nIt ran twice on the day the clocks changed.")},
			{"timestamp", at.Format(time.RFC3339)},
			{"url", repo.url + "/commit/" + id},
			{"author", object{{"name", author.first + " " + author.last}, {"email", author.email()}, {"username", author.login}}},
			{"added", []string{}},
			{"removed", []string{}},
			{"modified", []string{pick(f, "billing/refund.go", "ledger/export.py", "Dockerfile", "web/src/invoice.tsx")}},
		})
	}
	head := commits[len(commits)-1]
	return f.githubEvent("push", object{
		{"ref", "refs/heads/" + branch},
		{"before", before},
		{"after", head[0].value},
		{"created", false},
		{"deleted", false},
		{"forced", f.IntN(9) == 0},
		{"compare", repo.url + "/compare/" + before[:12]},
		{"commits", commits},
		{"head_commit", head},
		{"repository", repo.object()},
		{"pusher", object{{"name", author.login}, {"email", author.email()}}},
		{"sender", f.user(author)},
	})
}

func githubPullRequest(f *faker) Event {
	author, repo, number := f.person(), f.repository(), 200+f.IntN(900)
	action := pick(f, "opened", "opened", "synchronize", "closed")
	state := "open"
	if action == "closed" {
		state = "closed"
	}
	return f.githubEvent("pull_request", object{
		{"action", action},
		{"number", number},
		{"pull_request", object{
			{"url", fmt.Sprintf("%s/pulls/%d", repo.api(), number)},
			{"id", 1_800_000_000 + f.IntN(90_000_000)},
			{"html_url", fmt.Sprintf("%s/pull/%d", repo.url, number)},
			{"number", number},
			{"state", state},
			{"title", pick(f, "Settle refunds in the customer's currency", "Speed up the product search", "Add Klarna to checkout",
				"Upgrade to PostgreSQL 17", "Log the request id of every failed charge")},
			{"user", f.user(author)},
			{"body", "Closes #" + fmt.Sprint(100+f.IntN(90)) + ".\n\n- [x] tests\n- [ ] release note"},
			{"created_at", f.ago(600).Format(time.RFC3339)},
			{"merged", state == "closed"},
			{"head", object{{"ref", "feature/" + f.hex(4)}, {"sha", f.hex(40)}}},
			{"base", object{{"ref", "main"}, {"sha", f.hex(40)}}},
			{"comments", f.IntN(12)},
			{"commits", 1 + f.IntN(9)},
			{"additions", f.IntN(600)},
			{"deletions", f.IntN(200)},
			{"changed_files", 1 + f.IntN(20)},
		}},
		{"repository", repo.object()},
		{"sender", f.user(author)},
	})
}

func githubIssue(f *faker) Event {
	author, repo, number := f.person(), f.repository(), 200+f.IntN(900)
	return f.githubEvent("issues", object{
		{"action", pick(f, "opened", "labeled", "closed", "reopened")},
		{"issue", object{
			{"url", fmt.Sprintf("%s/issues/%d", repo.api(), number)},
			{"id", 2_400_000_000 + f.IntN(90_000_000)},
			{"number", number},
			{"title", pick(f, "Checkout button does nothing in Safari", "Invoices show the wrong VAT for Åland",
				"A <script> tag in a product title breaks the preview", "Export times out with more than 10,000 rows")},
			{"user", f.user(author)},
			{"labels", []object{{{"name", pick(f, "bug", "customer", "performance")}, {"color", f.hex(6)}}}},
			{"state", "open"},
			{"comments", f.IntN(8)},
			{"created_at", f.ago(60).Format(time.RFC3339)},
			{"body", "Steps:\n\n1. Open the order list\n2. Filter by \"last month\"\n3. Press *Export*\n\nNothing happens."},
		}},
		{"repository", repo.object()},
		{"sender", f.user(author)},
	})
}

func githubCheckRun(f *faker) Event {
	repo, started := f.repository(), f.ago(20)
	return f.githubEvent("check_run", object{
		{"action", "completed"},
		{"check_run", object{
			{"id", 31_000_000_000 + f.IntN(900_000_000)},
			{"name", pick(f, "build", "unit tests", "integration tests (postgres)", "lint")},
			{"head_sha", f.hex(40)},
			{"status", "completed"},
			{"conclusion", pick(f, "success", "success", "success", "failure")},
			{"started_at", started.Format(time.RFC3339)},
			{"completed_at", started.Add(time.Duration(30+f.IntN(400)) * time.Second).Format(time.RFC3339)},
			{"check_suite", object{{"id", 28_000_000_000 + f.IntN(900_000_000)}, {"head_branch", "main"}}},
		}},
		{"repository", repo.object()},
		{"sender", f.user(f.person())},
	})
}

func githubRelease(f *faker) Event {
	repo, author := f.repository(), f.person()
	tag := fmt.Sprintf("v2.%d.%d", f.IntN(9), f.IntN(20))
	return f.githubEvent("release", object{
		{"action", "published"},
		{"release", object{
			{"html_url", repo.url + "/releases/tag/" + tag},
			{"id", 170_000_000 + f.IntN(9_000_000)},
			{"tag_name", tag},
			{"name", tag},
			{"draft", false},
			{"prerelease", false},
			{"author", f.user(author)},
			{"published_at", f.ago(5).Format(time.RFC3339)},
			{"body", "## Changes\n\n* Refunds settle in the customer's currency\n* Search is twice as quick"},
		}},
		{"repository", repo.object()},
		{"sender", f.user(author)},
	})
}

// repository is one of the organisation's.
type repository struct {
	id        int
	name, url string
}

func (f *faker) repository() repository {
	names := []string{"storefront", "billing", "ledger-export", "mobile-app"}
	i := f.IntN(len(names))
	return repository{684_210_000 + i, names[i], "https://github.com/" + githubOrg + "/" + names[i]}
}

func (r repository) api() string {
	return strings.Replace(r.url, "https://github.com/", "https://api.github.com/repos/", 1)
}

func (r repository) object() object {
	return object{
		{"id", r.id},
		{"name", r.name},
		{"full_name", githubOrg + "/" + r.name},
		{"private", true},
		{"owner", object{{"login", githubOrg}, {"id", 9_120_447}, {"type", "Organization"}}},
		{"html_url", r.url},
		{"default_branch", "main"},
	}
}

func (f *faker) user(p person) object {
	return object{
		{"login", p.login},
		{"id", 1_000_000 + f.IntN(50_000_000)},
		{"html_url", "https://github.com/" + p.login},
		{"type", "User"},
		{"site_admin", false},
	}
}
