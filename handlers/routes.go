package handlers

import "github.com/gofiber/fiber/v2"

// routes are all routes of the product. Who may call is said by the wrapper of
// each handler, never by a prefix of the path.
func (a *App) routes(app *fiber.App) {
	a.health(app)

	for _, path := range []string{"/in/:slug", "/in/:slug/*"} {
		app.Post(path, a.ingest)
		app.Put(path, a.ingest)
		app.Patch(path, a.ingest)
	}

	for _, prefix := range []string{"/api/v1", "/v1"} {
		a.api(app.Group(prefix))
		a.dialects(app.Group(prefix))
	}
	a.pages(app) // page_routes.go
}

// health are the routes by which the process is watched.
func (a *App) health(r fiber.Router) {
	r.Get("/healthz", a.healthz)
	r.Get("/readyz", a.readyz)
	r.Get("/metrics", a.metrics)
}

func (a *App) api(r fiber.Router) {
	read, write, people := a.read, a.write, a.people

	r.Post("/session", a.createSession)
	r.Delete("/session", people(a.deleteSession))

	r.Get("/sources", read(a.listSources))
	r.Post("/sources", write(a.createSource))
	r.Get("/sources/:id", read(a.getSource))
	r.Patch("/sources/:id", write(a.updateSource))
	r.Delete("/sources/:id", write(a.deleteSource))

	r.Get("/endpoints", read(a.listEndpoints))
	r.Post("/endpoints", write(a.createEndpoint))
	r.Get("/endpoints/:id", read(a.getEndpoint))
	r.Patch("/endpoints/:id", write(a.updateEndpoint))
	r.Delete("/endpoints/:id", write(a.deleteEndpoint))
	r.Post("/endpoints/:id/pause", write(a.pauseEndpoint))
	r.Post("/endpoints/:id/resume", write(a.resumeEndpoint))
	r.Post("/endpoints/:id/secrets/rotate", write(a.rotateSecret))
	r.Post("/endpoints/:id/test-fire", write(a.testFire))
	r.Post("/endpoints/:id/replay-failed", write(a.replayFailed))

	r.Get("/events", read(a.listEvents))
	r.Post("/events", write(a.publishEvent))
	r.Get("/events/:id", read(a.getEvent))
	r.Get("/events/:id/raw", read(a.getEventRaw))
	r.Post("/events/:id/replay", write(a.replayEvent))

	r.Get("/deliveries", read(a.listDeliveries))
	r.Get("/deliveries/:id", read(a.getDelivery))
	r.Post("/deliveries/:id/retry", write(a.retryDelivery))
	r.Post("/deliveries/:id/replay", write(a.replayDelivery))
	r.Post("/deliveries/:id/discard", write(a.discardDelivery))

	r.Get("/dead-letters", read(a.listDeadLetters))
	r.Post("/dead-letters/discard", write(a.discardDeadLetters))

	r.Get("/replays", read(a.listReplays))
	r.Post("/replays", write(a.createReplay))
	r.Get("/replays/:id", read(a.getReplay))
	r.Patch("/replays/:id", write(a.updateReplay))
	r.Post("/replays/:id/start", write(a.changeReplay(a.store.StartReplay)))
	r.Post("/replays/:id/pause", write(a.pauseReplay))
	r.Post("/replays/:id/resume", write(a.changeReplay(a.store.ResumeReplay)))
	r.Post("/replays/:id/cancel", write(a.changeReplay(a.store.CancelReplay)))
	r.Get("/replays/:id/failures", read(a.replayFailures))
	r.Get("/replays/:id/export", read(a.exportReplay))
	r.Get("/replays/:id/stream", read(a.streamReplay))
	r.Post("/replays/:id/replay-failed", write(a.replayFailedAgain))

	r.Get("/api-keys", read(a.listKeys))
	r.Post("/api-keys", write(a.createKey))
	r.Delete("/api-keys/:id", write(a.revokeKey))

	r.Get("/projects", read(a.listProjects))
	r.Post("/projects", people(a.createProject))
	r.Get("/projects/:id", read(a.getProject))
	r.Patch("/projects/:id", people(a.updateProject))

	r.Get("/audit-log", read(a.listAudit))
}

// dialects are the calls of other gateways, as their documents have them.
func (a *App) dialects(r fiber.Router) {
	read, write, manual := a.read, a.write, a.manual

	r.Post("/webhooks/sources/:source/events/:event/replay", write(a.krafterReplay))

	r.Post("/webhook-deliveries/:delivery/replay", write(a.driftstackReplay))
	r.Get("/webhooks/:endpoint/deliveries", read(a.driftstackDeliveries))
	r.Get("/account/audit-log", read(a.listAudit))

	r.Put("/projects/:project/events/:event/replay", a.convoyEnvelope(write(a.convoyReplay)))

	r.Post("/replay", write(a.hookstreamReplay))
	r.Get("/replay/:id", read(a.getHookstreamReplay))

	r.Post("/webhooks/:endpoint/deliveries/:delivery/replay", manual(a.sendokaReplay))
	r.Post("/webhooks/:endpoint/replay-failed", manual(a.sendokaReplayFailed))
	r.Post("/webhooks/:endpoint/test-fire", manual(a.sendokaTestFire))
}
