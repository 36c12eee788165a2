package views

import (
	"net/url"
	"strings"

	"github.com/reprise-dev/reprise/relay"
)

func sourceURL(id relay.ID) string   { return "/sources/" + relay.PrefixSource.Format(id) }
func endpointURL(id relay.ID) string { return "/endpoints/" + relay.PrefixEndpoint.Format(id) }
func eventURL(id relay.ID) string    { return "/events/" + relay.PrefixEvent.Format(id) }
func deliveryURL(id relay.ID) string { return "/deliveries/" + relay.PrefixDelivery.Format(id) }
func keyURL(id relay.ID) string      { return "/api-keys/" + relay.PrefixKey.Format(id) }

// values makes query parameters of name and value pairs, empty values left out.
func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

// listURL is a path with query parameters, and no question mark without any.
func listURL(path string, v url.Values) string {
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

// without is a copy of v that lacks some parameters.
func without(v url.Values, names ...string) url.Values {
	w := url.Values{}
	for k, vs := range v {
		w[k] = vs
	}
	for _, n := range names {
		w.Del(n)
	}
	return w
}

// maxTrail bounds the way back that a list keeps in its URL. One that was cut
// begins with cutTrail: before it nobody knows the way.
const (
	maxTrail = 30
	cutTrail = "-"
)

// nextURL is the next page of a list, of older rows.
func (p Pager) nextURL(path string, filter url.Values) string {
	v := without(filter)
	v.Set("cursor", p.Next)
	trail := strings.Split(p.Trail, ",")
	if p.Trail == "" {
		trail = nil
	}
	if p.Cursor != "" {
		trail = append(trail, p.Cursor)
	}
	if len(trail) > maxTrail {
		trail = append([]string{cutTrail}, trail[len(trail)-maxTrail+1:]...)
	}
	if len(trail) > 0 {
		v.Set("trail", strings.Join(trail, ","))
	}
	return listURL(path, v)
}

// prevURL is the page before, of newer rows; empty if there is none, or none that
// the trail knows.
func (p Pager) prevURL(path string, filter url.Values) string {
	if p.Cursor == "" || p.Trail == cutTrail {
		return ""
	}
	v := without(filter)
	if p.Trail != "" {
		i := strings.LastIndexByte(p.Trail, ',')
		v.Set("cursor", p.Trail[i+1:])
		if i > 0 {
			v.Set("trail", p.Trail[:i])
		}
	}
	return listURL(path, v)
}

func sourceID(id relay.ID) string { return relay.PrefixSource.Format(id) }
