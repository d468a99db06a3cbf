from dashboard.pages import Page

page = Page(title="Help", path="/help", key="?", order=100)
