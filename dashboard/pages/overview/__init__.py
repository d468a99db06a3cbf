from dashboard.pages import Page

page = Page(title="Overview", path="/", key="o", order=10)
