// Package static holds the style sheet, scripts and icon of the dashboard, and
// gives each a URL that changes with its content, so that browsers may keep it
// for ever.
package static

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"path"
	"strings"
)

//go:embed app.css app.js theme.js htmx.min.js favicon.svg
var files embed.FS

const prefix = "/static/"

var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

type asset struct {
	data        []byte
	contentType string
}

var urls, assets = load()

func load() (map[string]string, map[string]asset) {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err)
	}
	urls, assets := map[string]string{}, map[string]asset{}
	for _, e := range entries {
		data, err := files.ReadFile(e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(data)
		ext := path.Ext(e.Name())
		hashed := strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		urls[e.Name()] = prefix + hashed
		assets[hashed] = asset{data, contentTypes[ext]}
	}
	return urls, assets
}

// URL is the path under which a file of this package is served. It panics for
// a name that is not embedded: such a page must not be shipped.
func URL(name string) string {
	u, ok := urls[name]
	if !ok {
		panic("static: no file " + name)
	}
	return u
}

// Open finds a file by the path that URL gave, with or without the leading
// "/static/". Only hashed names are known, so every answer may be cached as
// immutable.
func Open(path string) (data []byte, contentType string, ok bool) {
	a, ok := assets[strings.TrimPrefix(path, prefix)]
	return a.data, a.contentType, ok
}
