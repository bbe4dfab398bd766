/* Shows the document of this server; asks nobody else (no validator badge, no remote document). */
window.addEventListener("load", () => {
	window.SwaggerUIBundle({
		url: "/openapi.yaml",
		dom_id: "#swagger-ui",
		deepLinking: true,
		validatorUrl: null,
		queryConfigEnabled: false,
	});
});
