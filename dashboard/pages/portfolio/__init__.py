from dashboard.pages import Page

page = Page(title="Portfolio", path="/portfolio", key="p", order=30)
