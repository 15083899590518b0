// Swagger UI of the server's own OpenAPI document; nothing is loaded from elsewhere, and no key is kept.
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#api", deepLinking: true, validatorUrl: null });
